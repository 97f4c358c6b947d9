/** Subresources: parts of an object with rules of their own. Each is a way to merge, or an act. */

import { ApiError, type ApiStatus, apiError, conflict } from "../../manifests/api-error.ts";
import type { Kind, KubeObject, LabelSelector, Pod, Scale } from "../../manifests/index.ts";
import {
  decodeType,
  formatSelector,
  fromLabelSelector,
  invalidStatus,
  type ScalePaths,
  subresource,
  valueAt,
  withValueAt,
} from "../../manifests/index.ts";
import { FieldErrors } from "../../manifests/validation/field-error.ts";
import { applyWith, configurationOf } from "./apply.ts";
import { requestToken, type TokenRequestContext } from "./authn/token-request.ts";
import { ledgerPrincipal } from "./authn/user.ts";
import {
  type ChangeContext,
  type ChangeOptions,
  change,
  currentEntry,
  type Merge,
  replaceWith,
} from "./change.ts";
import { decodeBodyAs, parseBody } from "./decode.ts";
import { patchValue, patchWith } from "./merge.ts";
import { timestamp } from "./metadata.ts";
import { isApply } from "./owners.ts";
import { get, type ReadContext } from "./read.ts";
import type { Resource } from "./registry/registry.ts";
import { remove } from "./remove.ts";
import { type ApiReply, type ApiRequest, dryRunOption, jsonReply } from "./request.ts";
import { admitAct, attributesOf, hooksContext } from "./stages.ts";

export interface SubresourceContext extends ChangeContext, ReadContext, TokenRequestContext {
  /** Asks the owner of all binds; see `actors/scheduler/messages.ts`. */
  bindAtLedger(pod: Pod, node: string): Promise<void>;
}

type Act = (
  context: SubresourceContext,
  resource: Resource,
  request: ApiRequest,
) => Promise<ApiReply>;

/** By name and verb; undefined means 405. */
export function subresourceAct(request: ApiRequest): Act | undefined {
  const { subresource: name, verb } = request;
  const part = parts[name];
  if (part && verb === "get") return get;
  if (part && (verb === "update" || verb === "patch")) return changePart(part);
  return acts[`${verb} ${name}`];
}

/** What a subresource takes over from the body; everything else stays as it is. */
type Part = (body: KubeObject, current: KubeObject) => KubeObject;

const parts: Readonly<Record<string, Part>> = {
  status: statusPart,
  approval: (body, current) => withFieldsOf(current, body, ["status"]),
  finalize: (body, current) => withSpecField(current, body, "finalizers"),
  ephemeralcontainers: (body, current) => withSpecField(current, body, "ephemeralContainers"),
  resize: (body, current) => withSpecField(current, body, "containers"),
};

/** Kinds whose status comes without labels and annotations (k8s: metav1.ResetObjectMetaForStatus and alike). */
const bareStatus = new Set([
  "APIService",
  "CustomResourceDefinition",
  "Deployment",
  "FlowSchema",
  "PriorityLevelConfiguration",
  "ValidatingAdmissionPolicy",
  "VolumeAttachment",
  // Differs from Kubernetes: a kubelet may say how a node or pod is, not what it is called.
  "Node",
  "Pod",
]);

/** Who writes a status may label and annotate, too, but for some kinds. */
function statusPart(body: KubeObject, current: KubeObject): KubeObject {
  const object = withFieldsOf(current, body, ["status"]);
  if (bareStatus.has(current.kind ?? "")) return object;
  const { labels, annotations } = body.metadata;
  const { labels: _labels, annotations: _annotations, ...kept } = current.metadata;
  const told = { ...(labels && { labels }), ...(annotations && { annotations }) };
  return { ...object, metadata: { ...kept, ...told } };
}

function changePart(part: Part): Act {
  return (context, resource, request) => {
    const merge = mergeOf(context, resource, request);
    const inPart: Merge = (current) => {
      const merged = merge(current);
      return { ...merged, object: part(merged.object, current) };
    };
    return change(context, resource, request, inPart);
  };
}

function mergeOf(context: SubresourceContext, resource: Resource, request: ApiRequest): Merge {
  if (request.verb !== "patch") return replaceWith(resource, request);
  if (!isApply(request)) return patchWith(resource, request);
  return applyWith(context, resource, request, configurationOf(resource.kind, request));
}

const acts: Readonly<Record<string, Act>> = {
  "get scale": async (context, resource, request) => {
    const entry = await currentEntry(context, resource, request);
    return jsonReply(200, scaleOf(resource, context.objects.parsed(resource, entry)));
  },
  "update scale": (context, resource, request) => {
    const scale = decodeBodyAs<Scale>(scaleType, request, resource.kind);
    const merge: Merge = (current) => scaled(resource, current, scale);
    return change(context, resource, request, merge, showScale(resource));
  },
  "patch scale": (context, resource, request) => {
    if (isApply(request)) return applyScale(context, resource, request);
    const typeName = scaleType;
    const patched = patchValue(
      typeName,
      request,
      (value) => decodeType<Scale>(typeName, value).object,
    );
    const merge: Merge = (current) => {
      const before = scaleOf(resource, current);
      const scale = patched(before);
      const touched = scale.metadata.resourceVersion !== before.metadata.resourceVersion;
      return scaled(
        resource,
        current,
        touched ? scale : { ...scale, metadata: { name: scale.metadata.name } },
      );
    };
    return change(context, resource, request, merge, showScale(resource));
  },
  "create binding": bind,
  "create eviction": evict,
  "create token": (context, resource, request) =>
    requestToken(context, request, (body) => admitBody(context, resource, request, body)),
};

function withFieldsOf(current: KubeObject, body: KubeObject, fields: string[]): KubeObject {
  const result = { ...(current as unknown as Record<string, unknown>) };
  const source = body as unknown as Record<string, unknown>;
  for (const field of fields) {
    if (source[field] === undefined) delete result[field];
    else result[field] = source[field];
  }
  return result as unknown as KubeObject;
}

function withSpecField(current: KubeObject, body: KubeObject, field: string): KubeObject {
  const spec = { ...specOf(current), [field]: specOf(body)[field] };
  return { ...current, spec } as KubeObject;
}

function specOf(object: KubeObject): Record<string, unknown> {
  return (object as { spec?: Record<string, unknown> }).spec ?? {};
}

const scaleType = "autoscaling.v1.Scale";

/** The Scale that is applied says one field of the object, and owns that. */
function applyScale(
  context: SubresourceContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const scaleKind = { apiVersion: "autoscaling/v1", kind: "Scale", typeName: scaleType } as Kind;
  const { object: given, warnings } = configurationOf(scaleKind, request);
  const { apiVersion, kind } = resource.kind;
  const { name, uid, resourceVersion } = given.metadata;
  const preconditions = {
    ...(uid ? { uid } : {}),
    ...(resourceVersion ? { resourceVersion } : {}),
  };
  const { replicas } = (given as Scale).spec ?? {};
  const bare = { apiVersion, kind, metadata: { name, ...preconditions }, spec: {} } as KubeObject;
  const { specReplicas } = scalePathsOf(resource);
  const object = replicas === undefined ? bare : withValueAt(bare, specReplicas, replicas);
  const merge = applyWith(context, resource, request, { object, warnings });
  return change(context, resource, request, merge, showScale(resource));
}

function showScale(resource: Resource): ChangeOptions {
  return { show: (object) => scaleOf(resource, object) };
}

const builtInPaths: ScalePaths = {
  specReplicas: ["spec", "replicas"],
  statusReplicas: ["status", "replicas"],
};

function scalePathsOf({ stored }: Resource): ScalePaths {
  return stored.model?.scale ?? builtInPaths;
}

/** The Scale that a Deployment, ReplicaSet, StatefulSet, ReplicationController or custom object shows. */
function scaleOf(resource: Resource, object: KubeObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specReplicas, statusReplicas, labelSelector } = scalePathsOf(resource);
  const numberAt = (path: readonly string[]) => {
    const value = valueAt(object, path);
    return typeof value === "number" ? value : undefined;
  };
  const replicas = numberAt(specReplicas);
  if (replicas === undefined && resource.custom) {
    const path = `.${specReplicas.join(".")}`;
    const why = `the spec replicas field ${JSON.stringify(path)} does not exist`;
    throw apiError("InternalError", `Internal error occurred: ${why}`);
  }
  const selector = labelSelector
    ? String(valueAt(object, labelSelector) ?? "")
    : resource.custom
      ? ""
      : selectorText(specOf(object).selector);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: replicas ?? 0 },
    status: { replicas: numberAt(statusReplicas) ?? 0, selector },
  };
}

/** A ReplicationController's selector is a plain map of labels. */
function selectorText(selector: unknown): string {
  if (typeof selector !== "object" || selector === null) return "";
  const isMap = !("matchLabels" in selector) && !("matchExpressions" in selector);
  const spoken = (isMap ? { matchLabels: selector } : selector) as LabelSelector;
  return formatSelector(fromLabelSelector(spoken));
}

function scaled(resource: Resource, current: KubeObject, scale: Scale) {
  const replicas = scale.spec?.replicas ?? 0;
  const { resourceVersion, uid } = scale.metadata;
  assertScale(current.metadata.name, replicas);
  const object = withValueAt(current, scalePathsOf(resource).specReplicas, replicas);
  return { object, uid, ...(resourceVersion ? { resourceVersion } : {}) };
}

/** Told of the Scale, for that is what was sent, and not of what it scales. */
function assertScale(name: string, replicas: number): void {
  const errors = new FieldErrors();
  errors.nonNegative("spec.replicas", replicas);
  if (errors.list.length === 0) return;
  const kind = { group: "autoscaling", kind: "Scale" };
  throw new ApiError(invalidStatus(kind, name, errors.list) as ApiStatus);
}

interface Binding {
  metadata?: { uid?: string; annotations?: Record<string, string> };
  target?: { kind?: string; name?: string };
}

/**
 * A pod gets its node. Only the ledger commits binds, with its epoch as guard, so that no two
 * schedulers can promise one place twice; anybody else's binding is handed to it.
 */
async function bind(
  context: SubresourceContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const binding = (parseBody(request).value ?? {}) as Binding;
  const node = binding.target?.name;
  if (!node) throw apiError("Invalid", "Binding is invalid: target.name: Required value");
  const kind = binding.target?.kind;
  if (kind && kind !== "Node") {
    throw apiError(
      "Invalid",
      `Binding is invalid: target.kind: Unsupported value: "${kind}": supported values: "Node"`,
    );
  }
  await admitBody(context, resource, request, binding);
  if (request.user.name !== ledgerPrincipal) {
    const entry = await currentEntry(context, resource, request);
    const pod = context.objects.parsed(resource, entry) as Pod;
    await context.bindAtLedger(pod, node);
    return bound;
  }
  const now = timestamp(context.clock.now());
  const merge: Merge = (current) => ({
    object: boundTo(current as Pod, node, now, binding.metadata?.annotations),
    uid: binding.metadata?.uid,
  });
  await change(context, resource, request, merge, { trusted: true });
  return bound;
}

/** POST …/bindings, as clients did before pods had a binding of their own: the pod is in the body. */
export function bindingOfPod(request: ApiRequest): ApiRequest {
  const binding = (parseBody(request).value ?? {}) as { metadata?: { name?: string } };
  const name = binding.metadata?.name ?? "";
  return { ...request, resource: "pods", subresource: "binding", name };
}

const bound: ApiReply = jsonReply(201, {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  code: 201,
});

function boundTo(
  pod: Pod,
  node: string,
  now: string,
  annotations: Record<string, string> | undefined,
): Pod {
  const name = pod.metadata.name ?? "";
  const of = { group: "", resource: "pods/binding" };
  if (pod.metadata.deletionTimestamp) {
    throw conflict(of, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if (pod.spec.nodeName) {
    throw conflict(of, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  }
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
  const scheduled = {
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: now,
  };
  const metadata = annotations
    ? { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...annotations } }
    : pod.metadata;
  return {
    ...pod,
    metadata,
    spec: { ...pod.spec, nodeName: node },
    status: { ...pod.status, conditions: [...others, scheduled] },
  } as Pod;
}

/** What acts on an object instead of replacing it is admitted by its body. */
async function admitBody(
  context: SubresourceContext,
  resource: Resource,
  request: ApiRequest,
  body: object,
): Promise<void> {
  const { apiVersion, kind } = subresource(resource.kind, request.subresource) ?? resource.kind;
  const object = { apiVersion, kind, metadata: {}, ...body } as KubeObject;
  const attempt = { resource, request, old: undefined, dryRun: dryRunOption(request.query) };
  const attributes = attributesOf(attempt, object);
  await admitAct(context, attributes, hooksContext(context, request, []));
}

/** Deletes the pod as asked. Budgets (PodDisruptionBudget) are judged when their controller exists. */
async function evict(
  context: SubresourceContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const eviction = (parseBody(request).value ?? {}) as { deleteOptions?: unknown };
  await admitBody(context, resource, request, eviction);
  const body = new TextEncoder().encode(JSON.stringify(eviction.deleteOptions ?? {}));
  return await remove(context, resource, {
    ...request,
    verb: "delete",
    body,
    contentType: "application/json",
  });
}
