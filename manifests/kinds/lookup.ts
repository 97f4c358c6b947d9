/** Finds built-in kinds. CRDs arrive at run time and live in the API server's own registry. */
import { BUILTIN_KINDS } from "./builtin.ts";
import type { Kind, Verb } from "./kind.ts";

const byResource = new Map(BUILTIN_KINDS.map((k) => [`${k.apiVersion}/${k.resource}`, k]));
const byKind = new Map(BUILTIN_KINDS.map((k) => [`${k.apiVersion}/${k.kind}`, k]));

export function allKinds(): readonly Kind[] {
  return BUILTIN_KINDS;
}

export function kindByResource(group: string, version: string, resource: string): Kind | undefined {
  return byResource.get(`${group === "" ? version : `${group}/${version}`}/${resource}`);
}

/** `apiVersion` is `v1` or `apps/v1`. */
export function kindByGvk(apiVersion: string, kind: string): Kind | undefined {
  return byKind.get(`${apiVersion}/${kind}`);
}

/** The kind under which objects of this kind are stored: itself, but for a second version of the same object. */
export function storedKind(kind: Kind): Kind {
  if (!kind.conversion) return kind;
  return kindByGvk(kind.conversion.apiVersion, kind.conversion.kind) ?? kind;
}

/** What a subresource takes and gives, for discovery and routing. */
export interface Subresource {
  name: string;
  apiVersion: string;
  kind: string;
  verbs: readonly Verb[];
}

const READ_WRITE: readonly Verb[] = ["get", "patch", "update"];
const CONNECT: readonly Verb[] = ["create", "get"];
const ANY: readonly Verb[] = ["create", "delete", "get", "patch", "update"];

/** Subresources that are not simply the object itself, read and written in part. */
const SUBRESOURCES: Record<string, { kind: string; apiVersion?: string; verbs: readonly Verb[] }> =
  {
    scale: { kind: "Scale", apiVersion: "autoscaling/v1", verbs: READ_WRITE },
    binding: { kind: "Binding", apiVersion: "v1", verbs: ["create"] },
    eviction: { kind: "Eviction", apiVersion: "policy/v1", verbs: ["create"] },
    token: { kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1", verbs: ["create"] },
    "pods/attach": { kind: "PodAttachOptions", verbs: CONNECT },
    "pods/exec": { kind: "PodExecOptions", verbs: CONNECT },
    "pods/portforward": { kind: "PodPortForwardOptions", verbs: CONNECT },
    "pods/log": { kind: "Pod", verbs: ["get"] },
    "pods/proxy": { kind: "PodProxyOptions", verbs: ANY },
    "services/proxy": { kind: "ServiceProxyOptions", verbs: ANY },
    "nodes/proxy": { kind: "NodeProxyOptions", verbs: ANY },
    "namespaces/finalize": { kind: "Namespace", verbs: ["update"] },
  };

export function subresource(kind: Kind, name: string): Subresource | undefined {
  if (!kind.subresources.includes(name)) return undefined;
  const special = SUBRESOURCES[`${kind.resource}/${name}`] ?? SUBRESOURCES[name];
  return {
    name,
    apiVersion: special?.apiVersion ?? kind.apiVersion,
    kind: special?.kind ?? kind.kind,
    verbs: special?.verbs ?? READ_WRITE,
  };
}
