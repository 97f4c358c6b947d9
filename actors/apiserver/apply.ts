/** Server-side apply: PATCH with `application/apply-patch+yaml`. */

import { ApiError, apiError, conflict } from "../../manifests/api-error.ts";
import {
  ApplyError,
  apply,
  type Conflict,
  EMPTY_SET,
  type Entries,
  type Entry,
  type FieldSet,
  type Manager,
  type OwnershipContext,
  ownedByLastApplied,
  ownersBeforeApply,
  storedEntries,
} from "../../manifests/apply/index.ts";
import {
  DecodeError,
  decode,
  findDuplicateFields,
  type Kind,
  type KubeObject,
  LAST_APPLIED,
  lastApplied,
  parseJson,
  parseYaml,
  SyntaxFault,
  withLastApplied,
} from "../../manifests/index.ts";
import {
  type ChangeContext,
  catchUp,
  change,
  createFrom,
  type Merge,
  type Merged,
} from "./change.ts";
import { assertSize, decodeStrictly, fieldValidation } from "./decode.ts";
import { timestamp } from "./metadata.ts";
import { emptyObject, managerOf, mustBeNil, ownershipContext } from "./owners.ts";
import { entryOf, nameOf, type Resource } from "./registry/registry.ts";
import { type ApiReply, type ApiRequest, booleanOption } from "./request.ts";

/** The manager that took over from itself: it used to keep an annotation instead. */
const kubectl = "kubectl";

export interface Configuration {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** Makes the object when there is none; `authorizeCreate` rejects when the user may not. */
export async function applyObject(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
  authorizeCreate: () => Promise<void>,
): Promise<ApiReply> {
  const manager = managerOf(resource, request);
  const config = configurationOf(resource.kind, request);
  assertPlaced(request, config.object);
  const merge = applyWith(context, resource, request, config);
  for (let attempt = 1; ; attempt++) {
    if (!(await exists(resource, request))) {
      await authorizeCreate();
      const draft = draftOf(context, resource, request, manager, config);
      try {
        return await createFrom(context, resource, request, draft);
      } catch (error) {
        const beaten = error instanceof ApiError && error.reason === "AlreadyExists";
        if (!beaten || attempt > 1) throw error;
        continue;
      }
    }
    return await change(context, resource, request, merge);
  }
}

async function exists(resource: Resource, request: ApiRequest): Promise<boolean> {
  const find = () => entryOf(resource, request.namespace, request.name) !== undefined;
  if (find()) return true;
  // An absence is read consistently before it is believed.
  await catchUp(resource);
  return find();
}

/** What an object that exists becomes; the subresources take their part of it. */
export function applyWith(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
  config: Configuration,
): Merge {
  const { kind } = resource;
  const manager = managerOf(resource, request);
  return (current) => {
    const shown = kind.conversion?.fromStored(current) ?? current;
    const entries = storedEntries(current.metadata.managedFields);
    const outcome = outcomeOf(context, resource, request, manager, config, entries, shown);
    const object = kind.conversion?.toStored(outcome.object) ?? outcome.object;
    const { resourceVersion, uid } = object.metadata;
    const stated = resourceVersion !== current.metadata.resourceVersion;
    return {
      object,
      owners: outcome.entries,
      warnings: config.warnings,
      ...(stated ? { resourceVersion } : {}),
      ...(uid ? { uid } : {}),
    };
  };
}

function draftOf(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
  manager: Manager,
  config: Configuration,
): Merged {
  const { object: given, warnings } = config;
  const { name, uid } = given.metadata;
  if (!name) {
    const where = `the name of the object (${request.name} based on URL)`;
    throw apiError("BadRequest", `${where} was undeterminable: name must be provided`);
  }
  if (uid) {
    const why = `the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(nameOf(resource), request.name, `uid mismatch: ${why}`);
  }
  const outcome = outcomeOf(context, resource, request, manager, config, [], undefined);
  return { object: outcome.object, owners: outcome.entries, warnings };
}

interface Outcome {
  readonly object: KubeObject;
  readonly entries: Entries;
}

function outcomeOf(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
  manager: Manager,
  { object: config }: Configuration,
  entries: Entries,
  shown: KubeObject | undefined,
): Outcome {
  const { kind } = resource;
  const now = timestamp(context.clock.now());
  const ownership = ownershipContext(resource, request.subresource, now);
  const live = shown ? withoutOwners(shown) : emptyObject(kind);
  const applied = refusing(config, () =>
    apply(
      ownership,
      shown && entries.length === 0 ? beforeApply(ownership, resource, live) : entries,
      live,
      (object) => kind.conversion?.toStored(object as KubeObject) ?? object,
      {
        manager,
        config,
        force: booleanOption(request.query, "force"),
        mayTake: manager.manager === kubectl ? formerlyApplied(ownership, kind, live) : EMPTY_SET,
      },
    ),
  );
  if (applied.type === "conflicts") throw applyConflict(applied.conflicts);
  const { object } = refusing(config, () => decodeStrictly(kind, applied.object, "Ignore", []));
  const annotated = manager.manager === kubectl ? withAnnotation(object, config) : object;
  return { object: annotated, entries: applied.entries };
}

function withoutOwners(object: KubeObject): KubeObject {
  const { managedFields: _owners, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function beforeApply(
  ownership: OwnershipContext,
  { kind, stored }: Resource,
  live: object,
): Entries {
  const asStored = kind.conversion?.toStored(live as KubeObject) ?? live;
  return ownersBeforeApply(ownership, kind.apiVersion, emptyObject(stored), asStored);
}

/** k8s: managedfields lastAppliedManager. A broken annotation is none. */
function formerlyApplied(ownership: OwnershipContext, kind: Kind, live: object): FieldSet {
  const last = lastApplied(live as KubeObject) as Partial<KubeObject> | undefined;
  const type = ownership.version(kind.apiVersion)?.type;
  if (!type || last?.apiVersion !== kind.apiVersion) return EMPTY_SET;
  try {
    return ownedByLastApplied(type, last, live);
  } catch (error) {
    if (error instanceof ApplyError) return EMPTY_SET;
    throw error;
  }
}

/** Client-side apply must find what server-side apply has done since, as k8s: lastAppliedUpdater. */
function withAnnotation(object: KubeObject, config: KubeObject): KubeObject {
  const { annotations } = object.metadata;
  if (!annotations?.[LAST_APPLIED]) return object;
  const applied = withLastApplied(config).metadata.annotations?.[LAST_APPLIED] ?? "";
  const metadata = { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: applied } };
  return { ...object, metadata };
}

/** The body as it was given: what it does not say, nobody owns through it. */
export function configurationOf(kind: Kind, request: ApiRequest): Configuration {
  const { value, duplicates } = parseConfiguration(request.body);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const why = "json: cannot unmarshal into Go value of type map[string]interface {}";
    throw apiError("BadRequest", `error decoding YAML: error unmarshaling JSON: ${why}`);
  }
  const validation = fieldValidation(request.query);
  if (duplicates.length > 0 && validation === "Strict") {
    throw apiError("BadRequest", `error strict decoding YAML: ${duplicates.join(", ")}`);
  }
  const object = value as KubeObject;
  assertType(kind, object);
  const described = { ...object, metadata: { ...object.metadata } };
  if (described.metadata.managedFields) throw mustBeNil();
  const { strictErrors } = refusing(described, () => decode(kind, described));
  const [unknown] = strictErrors;
  if (unknown !== undefined) {
    const field = /"(.*)"/.exec(unknown)?.[1] ?? unknown;
    throw mistyped(described, `.${field}: field not declared in schema`);
  }
  return { object: described, warnings: validation === "Warn" ? duplicates : [] };
}

function parseConfiguration(body: Uint8Array): { value: unknown; duplicates: string[] } {
  assertSize(body);
  const text = new TextDecoder().decode(body);
  try {
    if (!/^\s*\{/.test(text)) return { value: parseYaml(text), duplicates: [] };
    return { value: parseJson(text), duplicates: findDuplicateFields(text) };
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw apiError("BadRequest", `error decoding YAML: ${error.message}`, undefined, {
      cause: error,
    });
  }
}

function assertType(kind: Kind, { apiVersion, kind: name }: KubeObject): void {
  if (apiVersion === kind.apiVersion && name === kind.kind) return;
  throw apiError("BadRequest", `invalid object type: ${typeText(apiVersion ?? "", name ?? "")}`);
}

/** As Go prints a GroupVersionKind. */
function typeText(apiVersion: string, kind: string): string {
  return `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

/** k8s: endpoints/handlers checkName. */
function assertPlaced(request: ApiRequest, { metadata }: KubeObject): void {
  const { name, namespace } = metadata;
  if (name && name !== request.name) {
    const what = `the name of the object (${name})`;
    throw apiError("BadRequest", `${what} does not match the name on the URL (${request.name})`);
  }
  if (namespace && namespace !== request.namespace) {
    const what = `the namespace of the object (${namespace})`;
    const asked = `the namespace on the request (${request.namespace})`;
    throw apiError("BadRequest", `${what} does not match ${asked}`);
  }
}

function refusing<T>(config: KubeObject, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof ApplyError || error instanceof DecodeError)) throw error;
    throw mistyped(config, error.message);
  }
}

/** Differs from Kubernetes: 400, for the fault is the sender's; upstream says the same with 500. */
function mistyped({ metadata, apiVersion = "", kind = "" }: KubeObject, why: string): Error {
  const { namespace = "", name = "" } = metadata;
  const what = `${namespace}/${name}; ${typeText(apiVersion, kind)}`;
  return apiError("BadRequest", `failed to create typed patch object (${what}): ${why}`);
}

/** k8s: managedfields NewConflictError, whose words kubectl shows with advice. */
function applyConflict(conflicts: readonly Conflict[]): Error {
  const causes = conflicts.map(({ owner, field }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${ownerText(owner)}`,
    field,
  }));
  return apiError("Conflict", conflictMessage(conflicts), { causes });
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first && conflicts.length === 1) {
    const what = `conflict with ${ownerText(first.owner)}: ${first.field}`;
    return `Apply failed with 1 conflict: ${what}`;
  }
  const lines: string[] = [];
  let last: Entry | undefined;
  for (const { owner, field } of conflicts) {
    if (owner !== last) lines.push(`conflicts with ${ownerText(owner)}:`);
    lines.push(`- ${field}`);
    last = owner;
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
}

function ownerText({ manager, subresource, operation, apiVersion }: Entry): string {
  const name = JSON.stringify(manager ?? "");
  const where = subresource ? `${name} with subresource ${JSON.stringify(subresource)}` : name;
  return operation === "Update" ? `${where} using ${apiVersion}` : where;
}
