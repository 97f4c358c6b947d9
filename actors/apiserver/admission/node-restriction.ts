/** NodeRestriction: a node writes what is its own. k8s: plugin/pkg/admission/noderestriction. */

import equal from "fast-deep-equal";
import {
  type AuthenticationTokenRequest,
  CSINode,
  type KubeObject,
  Lease,
  Node,
  Pod,
  ServiceAccount,
} from "../../../manifests/index.ts";
import { nodeOf } from "../authn/user.ts";
import {
  type AdmissionContext,
  type Attributes,
  type Plugin,
  refused,
  type Target,
} from "./chain.ts";

type Rule = (node: string, attributes: Attributes, context: AdmissionContext) => string | undefined;

const mirrorAnnotation = "kubernetes.io/config.mirror";
const leaseNamespace = "kube-node-lease";

export const nodeRestriction: Plugin = {
  name: "NodeRestriction",
  handles: (target) => ruleOf(target) !== undefined,
  validate(attributes, context) {
    const node = nodeOf(attributes.user.name);
    if (node === undefined) return undefined;
    const judge = () => ruleOf(attributes)?.(node, attributes, context);
    if (!judge()) return undefined;
    // A node may be quicker to learn of its pod than this cache is.
    return context.reader.caughtUp().then(() => {
      const why = judge();
      if (why) throw refused(attributes, why);
    });
  },
};

function ruleOf({ resource, operation, subresource }: Target): Rule | undefined {
  const part = subresource ? `/${subresource}` : "";
  return rules.get(resource.stored)?.[`${operation}${part}`];
}

const onNode: Rule = (node, { name, old, object }) => {
  const own = name || object?.metadata.name || old?.metadata.name;
  return own === node ? undefined : `node "${node}" is not allowed to modify node "${own}"`;
};

const onLease: Rule = (node, { namespace, name }) => {
  if (namespace !== leaseNamespace) {
    return `can only access leases in the "${leaseNamespace}" system namespace`;
  }
  return name === node
    ? undefined
    : "can only access node lease with the same name as the requesting node";
};

const onCsiNode: Rule = (node, { name }) =>
  name === node ? undefined : "can only access CSINode with the same name as the requesting node";

const rules = new Map<unknown, Readonly<Record<string, Rule>>>([
  [
    Pod,
    {
      CREATE: (node, { object }) => whyNoPod(node, object as Pod),
      DELETE: (node, { old }) =>
        isOn(node, old)
          ? undefined
          : `node "${node}" can only delete pods with spec.nodeName set to itself`,
      "UPDATE/status": (node, { object, old }) => {
        if (!isOn(node, old)) {
          return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
        }
        return equal(object?.metadata.labels ?? {}, old?.metadata.labels ?? {})
          ? undefined
          : `node "${node}" cannot update labels through pod status`;
      },
      "CREATE/eviction": (node, { namespace, name }, { reader }) =>
        isOn(node, reader.get(Pod, namespace, name))
          ? undefined
          : `node "${node}" can only evict pods with spec.nodeName set to itself`,
    },
  ],
  [
    Node,
    {
      CREATE: (node, attributes) => {
        const { name, object } = attributes;
        if (name !== node) return `node "${node}" is not allowed to create node "${name}"`;
        return whyNotLabels("set the following", {}, object?.metadata.labels ?? {});
      },
      UPDATE: (node, attributes, context) => {
        const [after, before] = [attributes.object, attributes.old] as Node[];
        const other = onNode(node, attributes, context);
        if (other) return other;
        if (!equal(after?.spec?.taints ?? [], before?.spec?.taints ?? [])) {
          return `node "${node}" is not allowed to modify taints`;
        }
        if (!equal(after?.metadata.ownerReferences ?? [], before?.metadata.ownerReferences ?? [])) {
          return `node "${node}" is not allowed to modify ownerReferences`;
        }
        const labels = [before?.metadata.labels ?? {}, after?.metadata.labels ?? {}] as const;
        return whyNotLabels("modify", ...labels);
      },
      "UPDATE/status": onNode,
      DELETE: onNode,
    },
  ],
  [Lease, { CREATE: onLease, UPDATE: onLease, DELETE: onLease }],
  [CSINode, { CREATE: onCsiNode, UPDATE: onCsiNode, DELETE: onCsiNode }],
  [ServiceAccount, { "CREATE/token": whyNoToken }],
]);

function isOn(node: string, pod: KubeObject | undefined): boolean {
  return (pod as Pod | undefined)?.spec.nodeName === node;
}

/** Only the picture of a pod that runs without us, which can reach nothing through us. */
function whyNoPod(node: string, { metadata, spec }: Pod): string | undefined {
  if (metadata.annotations?.[mirrorAnnotation] === undefined) {
    return `pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`;
  }
  if (spec.nodeName !== node) {
    return `node "${node}" can only create pods with spec.nodeName set to itself`;
  }
  const owners = metadata.ownerReferences ?? [];
  const [owner] = owners;
  if (owners.length !== 1 || owner?.kind !== "Node" || owner.name !== node) {
    return `node "${node}" can only create pods with an owner reference set to itself`;
  }
  if (spec.serviceAccountName) {
    return `node "${node}" can not create pods that reference a service account`;
  }
  const volumes = spec.volumes ?? [];
  const refers = (field: "secret" | "configMap" | "persistentVolumeClaim") =>
    volumes.some((volume) => volume[field] !== undefined);
  if (refers("secret")) return `node "${node}" can not create pods that reference secrets`;
  if (refers("configMap")) return `node "${node}" can not create pods that reference configmaps`;
  if (refers("persistentVolumeClaim")) {
    return `node "${node}" can not create pods that reference persistentvolumeclaims`;
  }
  return undefined;
}

/** The namespace is the request's: what the body says of it may be anything. */
function whyNoToken(
  node: string,
  { namespace, object }: Attributes,
  { reader }: AdmissionContext,
): string | undefined {
  const { spec } = object as unknown as AuthenticationTokenRequest;
  const bound = spec?.boundObjectRef;
  if (bound?.kind !== "Pod" || !bound.name) return "node requested token not bound to a pod";
  if (!bound.uid) return "node requested token with a pod binding without a uid";
  const pod = reader.get(Pod, namespace, bound.name);
  if (pod && pod.metadata.uid !== bound.uid) {
    return (
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. ` +
      "The object might have been deleted and then recreated"
    );
  }
  return isOn(node, pod)
    ? undefined
    : "node requested token bound to a pod scheduled on a different node";
}

/** Labels that a kubelet knows of itself (k8s: kubelet/pkg/apis/well_known_labels.go). */
const ownLabels = new Set([
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "beta.kubernetes.io/os",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.kubernetes.io/region",
  "failure-domain.kubernetes.io/zone",
  "kubernetes.io/arch",
  "kubernetes.io/hostname",
  "kubernetes.io/instance-type",
  "kubernetes.io/os",
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);

function isRestricted(label: string): boolean {
  const domain = label.includes("/") ? (label.split("/")[0] ?? "") : "";
  const under = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
  if (under("node-restriction.kubernetes.io")) return true;
  if (!under("kubernetes.io") && !under("k8s.io")) return false;
  if (under("kubelet.kubernetes.io") || under("node.kubernetes.io")) return false;
  return !ownLabels.has(label);
}

function whyNotLabels(
  verb: string,
  before: Record<string, string>,
  after: Record<string, string>,
): string | undefined {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const touched = [...names].filter((name) => before[name] !== after[name] && isRestricted(name));
  if (touched.length === 0) return undefined;
  return `is not allowed to ${verb} labels: ${touched.sort().join(", ")}`;
}
