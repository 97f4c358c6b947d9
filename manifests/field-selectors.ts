/**
 * Field selectors: `metadata.name=x,status.phase!=Failed`, and the fields that each kind may be selected by.
 *
 * The lists are upstream's conversion functions (k8s:pkg/apis/core/v1/conversion.go and its like in other groups).
 */
import type { Kind, KubeObject } from "./kinds/kind.ts";
import type {
  CertificateSigningRequest,
  Event,
  Job,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  ReplicationController,
  Secret,
  Service,
} from "./schema/types.generated.ts";
import { SelectorError } from "./selectors.ts";

export interface FieldRequirement {
  field: string;
  /** Where the field stands among the kind's `selectableFields`. */
  at: number;
  operator: "=" | "!=";
  value: string;
}

export type FieldSelector = readonly FieldRequirement[];

type Getters<T> = Record<string, (object: T) => unknown>;

const BY_TYPE: Record<string, Getters<never>> = {
  "core.v1.Pod": {
    "spec.nodeName": (pod: Pod) => pod.spec.nodeName,
    "spec.restartPolicy": (pod: Pod) => pod.spec.restartPolicy,
    "spec.schedulerName": (pod: Pod) => pod.spec.schedulerName,
    "spec.serviceAccountName": (pod: Pod) => pod.spec.serviceAccountName,
    "spec.hostNetwork": (pod: Pod) => pod.spec.hostNetwork ?? false,
    "status.phase": (pod: Pod) => pod.status?.phase,
    "status.podIP": (pod: Pod) => pod.status?.podIP,
    // Upstream takes the name, and no pod has a value for it.
    "status.podIPs": () => "",
    "status.nominatedNodeName": (pod: Pod) => pod.status?.nominatedNodeName,
  },
  "core.v1.Node": { "spec.unschedulable": (node: Node) => node.spec.unschedulable ?? false },
  "core.v1.Namespace": { "status.phase": (namespace: Namespace) => namespace.status?.phase },
  "core.v1.Service": {
    "spec.clusterIP": (service: Service) => service.spec.clusterIP,
    "spec.type": (service: Service) => service.spec.type,
  },
  "core.v1.Secret": { type: (secret: Secret) => secret.type },
  "core.v1.ReplicationController": {
    "status.replicas": (rc: ReplicationController) => rc.status?.replicas ?? 0,
  },
  "apps.v1.ReplicaSet": { "status.replicas": (rs: ReplicaSet) => rs.status?.replicas ?? 0 },
  "batch.v1.Job": { "status.successful": (job: Job) => job.status?.succeeded ?? 0 },
  "certificates.v1.CertificateSigningRequest": {
    "spec.signerName": (csr: CertificateSigningRequest) => csr.spec.signerName,
  },
  "core.v1.Event": {
    "involvedObject.kind": (event: Event) => event.involvedObject.kind,
    "involvedObject.namespace": (event: Event) => event.involvedObject.namespace,
    "involvedObject.name": (event: Event) => event.involvedObject.name,
    "involvedObject.uid": (event: Event) => event.involvedObject.uid,
    "involvedObject.apiVersion": (event: Event) => event.involvedObject.apiVersion,
    "involvedObject.resourceVersion": (event: Event) => event.involvedObject.resourceVersion,
    "involvedObject.fieldPath": (event: Event) => event.involvedObject.fieldPath,
    reason: (event: Event) => event.reason,
    reportingComponent: (event: Event) => event.reportingComponent,
    source: (event: Event) => event.source?.component || event.reportingComponent,
    type: (event: Event) => event.type,
  },
};

/** Old clients' names for what has another one now. */
const ALIASES: Record<string, Record<string, string>> = {
  "core.v1.Pod": { "spec.host": "spec.nodeName" },
};

/** The fields of a version that is stored as another, and what they are called there. */
const NAMES: Record<string, Record<string, string>> = {
  "events.v1.Event": {
    "metadata.name": "metadata.name",
    "metadata.namespace": "metadata.namespace",
    "regarding.kind": "involvedObject.kind",
    "regarding.namespace": "involvedObject.namespace",
    "regarding.name": "involvedObject.name",
    "regarding.uid": "involvedObject.uid",
    "regarding.apiVersion": "involvedObject.apiVersion",
    "regarding.resourceVersion": "involvedObject.resourceVersion",
    "regarding.fieldPath": "involvedObject.fieldPath",
    reason: "reason",
    reportingController: "reportingComponent",
    type: "type",
  },
};

/** The fields that objects of the kind may be selected by. */
export function selectableFields(kind: Kind): string[] {
  const common = hasNamespace(kind) ? ["metadata.name", "metadata.namespace"] : ["metadata.name"];
  return [...common, ...Object.keys(gettersOf(kind) ?? {})];
}

/** What `selectableFields` hold in an object, in that order, as texts; what is absent is empty. */
export function selectableValues(kind: Kind, object: KubeObject): string[] {
  const { name, namespace = "" } = object.metadata;
  const values = hasNamespace(kind) ? [name, namespace] : [name];
  const getters = gettersOf(kind);
  for (const field in getters) values.push(String(getters[field]?.(object) ?? ""));
  return values;
}

/** Upstream takes it for every kind without a list of its own, cluster-wide ones too. */
function hasNamespace(kind: Kind): boolean {
  return kind.namespaced || gettersOf(kind) === undefined;
}

function gettersOf({ model, typeName }: Kind): Getters<KubeObject> | undefined {
  return model?.selectable ?? (BY_TYPE[typeName] as Getters<KubeObject> | undefined);
}

/**
 * Reads a selector for a kind, which may be stored as another. Throws SelectorError, also for a field that the kind
 * cannot be selected by.
 */
export function parseFieldSelector(kind: Kind, text: string, stored = kind): FieldSelector {
  const fields = selectableFields(stored);
  return splitTerms(text).map((term) => {
    const match = /^((?:[^=!\\]|\\.)*?)(==|!=|=)([\s\S]*)$/.exec(term);
    if (!match) {
      const reason = `invalid selector: '${text}'; can't understand '${term}'`;
      throw new SelectorError(reason);
    }
    const [, written = "", operator, value = ""] = match;
    const names = NAMES[kind.typeName];
    const field = names ? (names[written] ?? "") : (ALIASES[kind.typeName]?.[written] ?? written);
    const at = fields.indexOf(field);
    if (at < 0) throw new SelectorError(unsupported(stored, written));
    return { field, at, operator: operator === "!=" ? "!=" : "=", value: unescapeValue(value) };
  });
}

/** In other words for kinds without a list of their own (k8s:apimachinery/pkg/runtime/conversion.go). */
function unsupported({ typeName }: Kind, label: string): string {
  if (BY_TYPE[typeName]) return `field label not supported: ${label}`;
  const quoted = JSON.stringify(label);
  return `${quoted} is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

/** A comma behind a backslash is part of a value. */
function splitTerms(text: string): string[] {
  return text.split(/(?<!\\),/).filter((term) => term !== "");
}

function unescapeValue(value: string): string {
  return value.replace(/\\([\\,=])/g, "$1");
}

/** `values` are the object's `selectableValues`. */
export function matchesFieldSelector(selector: FieldSelector, values: readonly string[]): boolean {
  return selector.every(({ at, operator, value }) => (values[at] === value) === (operator === "="));
}
