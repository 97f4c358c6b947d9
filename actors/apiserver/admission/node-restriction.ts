/**
 * NodeRestriction: a node registers itself, and only itself, and has tokens of the pods that it
 * runs and of no others. k8s: plugin/pkg/admission/noderestriction.
 */

import {
  type AuthenticationTokenRequest,
  Node,
  Pod,
  ServiceAccount,
} from "../../../manifests/index.ts";
import { nodeOf } from "../authn/user.ts";
import { type AdmissionContext, type Attributes, concerns, type Plugin, refused } from "./chain.ts";

export const nodeRestriction: Plugin = {
  name: "NodeRestriction",
  handles: (target) =>
    concerns(target, [Node], "CREATE") ||
    (target.resource.stored === ServiceAccount && target.subresource === "token"),
  validate(attributes, context) {
    const own = nodeOf(attributes.user.name);
    if (own === undefined) return;
    if (attributes.subresource === "token") return assertOwnPod(own, attributes, context);
    if (own === attributes.name) return;
    const why = `node "${own}" is not allowed to create node "${attributes.name}"`;
    throw refused(attributes, why);
  },
};

async function assertOwnPod(
  node: string,
  attributes: Attributes,
  { reader }: AdmissionContext,
): Promise<void> {
  const { spec } = attributes.object as unknown as AuthenticationTokenRequest;
  const ref = spec?.boundObjectRef;
  if (ref?.kind !== "Pod" || !ref.name) {
    throw refused(attributes, "node requested token not bound to a pod");
  }
  if (!ref.uid) throw refused(attributes, "node requested token with a pod binding without a uid");
  let pod = await reader.fetch(Pod, attributes.namespace, ref.name);
  // A node may be quicker to learn of its pod than this cache is.
  if (pod && pod.spec.nodeName !== node) {
    await reader.caughtUp();
    pod = reader.get(Pod, attributes.namespace, ref.name);
  }
  if (pod?.spec.nodeName === node) return;
  throw refused(attributes, "node requested token bound to a pod scheduled on a different node");
}
