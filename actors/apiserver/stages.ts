/** The stages between merge and commit: default, own, mutate, prepare, validate, check. */

import { ApiError, type ApiStatus } from "../../manifests/api-error.ts";
import {
  decode,
  type FieldError,
  invalidStatus,
  type KubeObject,
  setDefaults,
  validateCreate,
  validateStatusUpdate,
  validateUpdate,
  warningsFor,
} from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import type {
  Admission,
  AdmissionContext,
  AdmissionOperation,
  Attributes,
} from "./admission/chain.ts";
import type { Reader } from "./admission/reader.ts";
import type { Authorizer } from "./authz/authorizer.ts";
import { timestamp } from "./metadata.ts";
import type { Objects } from "./objects.ts";
import type { Own } from "./owners.ts";
import type { HookContext } from "./registry/hooks.ts";
import type { Registry, Resource } from "./registry/registry.ts";
import { type ApiRequest, booleanOption, optionsKind } from "./request.ts";

export interface StageContext {
  readonly registry: Registry;
  readonly objects: Objects;
  readonly admission: Admission;
  readonly authorizer: Authorizer;
  /** What admission reads of the cluster. */
  readonly reader: Reader;
  readonly clock: Clock;
  readonly random: Random;
}

/** One attempt to bring an object into being, or from one state into the next. */
export interface Attempt {
  readonly resource: Resource;
  readonly request: ApiRequest;
  readonly object: KubeObject;
  /** As it is stored; undefined when it is new. */
  readonly old: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly hooks: HookContext;
  readonly own: Own;
}

/**
 * Default, own, mutate (admission), prepare (what is special to the kind), permit, validate, check
 * (admission): what goes in is merged, what comes out may be committed.
 */
export async function finish(context: StageContext, attempt: Attempt): Promise<KubeObject> {
  const { resource, old, hooks: hookContext } = attempt;
  const { hooks, stored } = resource;
  const owned = attempt.own(setDefaults(stored, attempt.object), old);
  const before = attributesOf(attempt, owned);
  const admissionContext = admissionContextOf(context, hookContext);
  const mutation = context.admission.mutate(before, admissionContext);
  const mutated = (mutation instanceof Promise ? await mutation : mutation) ?? owned;
  const final = old
    ? finishUpdate(resource, mutated, old, hookContext)
    : finishCreate(resource, mutated, hookContext);
  // Judged by what it has become: a webhook might have added to it.
  if (hooks.permit) await hooks.permit(final, old, hookContext.user);
  const isStatus = old !== undefined && hookContext.subresource === "status";
  const errors = isStatus
    ? // The rest is as it was, and whoever may write a status is one of us.
      validateStatusUpdate(stored, final, old)
    : [
        ...(old ? validateUpdate(stored, final, old) : validateCreate(stored, final)),
        ...(hooks.check?.(final, old, hookContext) ?? []),
      ];
  assertValid(resource, final.metadata.name ?? "", errors);
  if (!isStatus) for (const text of warningsFor(stored, final, old)) hookContext.warn(text);
  const check = context.admission.validate({ ...before, object: final }, admissionContext);
  if (check instanceof Promise) await check;
  return final;
}

/** Decoding puts every field in the table's order, so that equal objects have equal texts. */
function finishCreate(resource: Resource, object: KubeObject, context: HookContext): KubeObject {
  const bare = withoutStatus(resource, object);
  const prepared = resource.hooks.prepareCreate?.(bare, context) ?? bare;
  return decode(resource.stored, prepared).object;
}

function finishUpdate(
  resource: Resource,
  object: KubeObject,
  old: KubeObject,
  context: HookContext,
): KubeObject {
  const prepared = resource.hooks.prepareUpdate?.(object, old, context) ?? object;
  return context.subresource === "status" ? prepared : decode(resource.stored, prepared).object;
}

/** Only the status subresource writes status (and a node's own creation). */
function withoutStatus(resource: Resource, object: KubeObject): KubeObject {
  const separate = resource.stored.subresources.includes("status");
  return separate && !resource.hooks.statusOnCreate ? withoutField(object, "status") : object;
}

export function withoutField(object: KubeObject, field: string): KubeObject {
  const { [field]: _left, ...rest } = object as unknown as Record<string, unknown>;
  return rest as unknown as KubeObject;
}

/** What the plugins are told of an attempt. */
export function attributesOf(
  { resource, request, old, dryRun }: Omit<Attempt, "object" | "hooks" | "own">,
  object: KubeObject | undefined,
  operation: AdmissionOperation = old ? (object ? "UPDATE" : "DELETE") : "CREATE",
): Attributes {
  const { subresource, namespace, user } = request;
  const name = request.name || object?.metadata.name || "";
  const options = optionsOf(request, dryRun);
  return { operation, resource, subresource, namespace, name, object, old, user, dryRun, options };
}

function optionsOf({ verb, query }: ApiRequest, dryRun: boolean): Record<string, unknown> {
  const kind = optionsKind(verb);
  if (!kind) return {};
  const options: Record<string, unknown> = { kind, apiVersion: "meta.k8s.io/v1" };
  for (const name of ["fieldManager", "fieldValidation", "propagationPolicy"]) {
    const value = query.get(name);
    if (value) options[name] = value;
  }
  if (dryRun) options.dryRun = ["All"];
  return options;
}

export function admissionContextOf(
  { reader, authorizer, random }: StageContext,
  { now, warn, annotate, user }: HookContext,
): AdmissionContext {
  return {
    reader,
    random,
    now,
    warn,
    annotate,
    async allows(wanted) {
      const asked = { subresource: "", namespace: "", ...wanted, user };
      return (await authorizer.judge(asked)).allowed;
    },
  };
}

/** The whole chain for what is not stored by `finish`: a deletion, a connection, an act. */
export async function admitAct(
  context: StageContext,
  attributes: Attributes,
  hookContext: HookContext,
): Promise<void> {
  const admissionContext = admissionContextOf(context, hookContext);
  const object = (await context.admission.mutate(attributes, admissionContext)) ?? undefined;
  await context.admission.validate({ ...attributes, object }, admissionContext);
}

/** k8s: apierrors.NewInvalid. */
export function assertValid({ kind }: Resource, name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new ApiError(invalidStatus(kind, name, errors) as ApiStatus);
}

/** Before a connection into a pod is opened: `connect` is an operation that plugins can refuse. */
export async function admitConnection(context: StageContext, request: ApiRequest): Promise<void> {
  const { query, group, version, resource: plural } = request;
  const resource = context.registry.find(group, version, plural);
  const kind = connectKinds[request.subresource] ?? "PodProxyOptions";
  const flag = (name: string) => (booleanOption(query, name) ? { [name]: true } : {});
  const one = (name: string) => (query.get(name) ? { [name]: query.get(name) } : {});
  const command = query.getAll("command");
  const object = {
    kind,
    apiVersion: "v1",
    metadata: {},
    ...flag("stdin"),
    ...flag("stdout"),
    ...flag("stderr"),
    ...flag("tty"),
    ...one("container"),
    ...one("path"),
    ...(command.length > 0 ? { command } : {}),
  } as KubeObject;
  const attempt = { resource, request, old: undefined, dryRun: false };
  const attributes = attributesOf(attempt, object, "CONNECT");
  await admitAct(context, attributes, hooksContext(context, request, []));
}

const connectKinds: Readonly<Record<string, string>> = {
  exec: "PodExecOptions",
  attach: "PodAttachOptions",
  portforward: "PodPortForwardOptions",
};

export function hooksContext(
  context: StageContext,
  request: ApiRequest,
  warnings: string[],
): HookContext {
  return {
    user: request.user,
    view: context.registry.stores.objects.view,
    now: timestamp(context.clock.now()),
    random: context.random,
    subresource: request.subresource,
    warn: (message) => warnings.push(message),
    annotate: (key, value) => request.annotate?.(key, value),
  };
}
