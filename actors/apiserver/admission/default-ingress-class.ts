/** DefaultIngressClass. k8s: plugin/pkg/admission/network/defaultingressclass. */

import { Ingress, IngressClass } from "../../../manifests/index.ts";
import { concerns, type Plugin } from "./chain.ts";
import { defaultOf } from "./defaults.ts";

const oldAnnotation = "kubernetes.io/ingress.class";
const defaultMarks = ["ingressclass.kubernetes.io/is-default-class"];

export const defaultIngressClass: Plugin = {
  name: "DefaultIngressClass",
  handles: (target) => concerns(target, [Ingress], "CREATE"),
  mutate({ object }, { reader }) {
    const ingress = object as Ingress;
    if (ingress.spec?.ingressClassName !== undefined) return undefined;
    if (ingress.metadata.annotations?.[oldAnnotation]) return undefined;
    const chosen = defaultOf(reader.list(IngressClass), defaultMarks);
    if (!chosen) return undefined;
    return { ...ingress, spec: { ...ingress.spec, ingressClassName: chosen.metadata.name } };
  },
};
