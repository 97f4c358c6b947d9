/**
 * Stage "own": who manages which fields of an object, kept in metadata.managedFields. It comes after
 * defaults and before admission: what admission adds is nobody's, as upstream.
 */

import equal from "fast-deep-equal";
import { ApiError, type ApiStatus, apiError } from "../../manifests/api-error.ts";
import {
  EMPTY_SET,
  type Entries,
  type FieldSet,
  fieldElement,
  fieldSet,
  givenEntries,
  isSameOwners,
  type Manager,
  type OwnershipContext,
  ownersAfterUpdate,
  storedEntries,
  tableType,
  type Version,
} from "../../manifests/apply/index.ts";
import {
  allKinds,
  decodeType,
  invalidStatus,
  type Kind,
  type KubeObject,
  storedKind,
} from "../../manifests/index.ts";
import { typeSchema } from "../../manifests/schema/schema.ts";
import { FieldErrors } from "../../manifests/validation/field-error.ts";
import { mediaType } from "./decode.ts";
import type { Resource } from "./registry/registry.ts";
import { type ApiRequest, optionsKind } from "./request.ts";

/** Puts the owners into an object that is about to replace another, or to be the first. */
export type Own = (object: KubeObject, old: KubeObject | undefined) => KubeObject;

const longestManager = 128;
const managerFlag = "fieldManager";

/** Who writes: as they say, or the program that asks, or the actor that does. Throws Invalid. */
export function managerOf(resource: Resource, request: ApiRequest): Manager {
  const operation = isApply(request) ? "Apply" : "Update";
  const manager = request.query.get(managerFlag) || agentOf(request);
  const { apiVersion } = resource.kind;
  assertOptions(request);
  return { manager, operation, apiVersion, subresource: request.subresource };
}

export const applyType = "application/apply-patch+yaml";

export function isApply(request: ApiRequest): boolean {
  return request.verb === "patch" && mediaType(request.contentType) === applyType;
}

/** `kubectl/v1.32.0 (linux/amd64) …` is kubectl; over NATS the principal is the program. */
function agentOf({ agent, user }: ApiRequest): string {
  if (agent === undefined) return user.name;
  const name = (agent.split("/")[0] ?? "").replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "");
  let kept = "";
  for (const character of name) {
    if (Buffer.byteLength(kept + character) > longestManager) break;
    kept += character;
  }
  return kept;
}

/** k8s: apimachinery/pkg/apis/meta/v1/validation ValidatePatchOptions. */
function assertOptions(request: ApiRequest): void {
  const errors = new FieldErrors();
  const manager = request.query.get(managerFlag) ?? "";
  if (isApply(request)) {
    if (manager === "") errors.required(managerFlag, "is required for apply patch");
  } else if (request.verb === "patch" && request.query.has("force")) {
    errors.forbidden("force", "may not be specified for non-apply patch");
  }
  if (Buffer.byteLength(manager) > longestManager) errors.tooLong(managerFlag, longestManager);
  if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(manager)) {
    errors.invalid(managerFlag, manager, "should only contain printable characters");
  }
  if (errors.list.length === 0) return;
  const kind = { group: "meta.k8s.io", kind: optionsKind(request.verb) ?? "" } as Kind;
  throw new ApiError(invalidStatus(kind, "", errors.list) as ApiStatus);
}

/** A create, update or patch owns what it changes. `given` is what its object says of owners. */
export function ownByUpdate(
  resource: Resource,
  manager: Manager,
  given: KubeObject["metadata"]["managedFields"],
  now: string,
): Own {
  const { subresource } = manager;
  const context = ownershipContext(resource, subresource, now);
  return (object, old) => {
    const stored = storedEntries(old?.metadata.managedFields);
    const said = subresource === "" ? saidEntries(given, stored) : undefined;
    const entries = said ?? stored;
    // Whoever let go of all owners wants none: nothing is tracked until somebody applies.
    if (old && entries.length === 0) return withOwners(object, []);
    const before = old ?? emptyObject(resource.stored);
    return withOwners(object, ownersAfterUpdate(context, manager, entries, before, object));
  };
}

/** Most clients send back what they have read. */
function saidEntries(
  given: KubeObject["metadata"]["managedFields"],
  stored: Entries,
): Entries | undefined {
  return given === undefined || equal(given, stored) ? undefined : givenEntries(given);
}

export function withOwners(object: KubeObject, entries: Entries): KubeObject {
  const { managedFields, ...metadata } = object.metadata;
  if (managedFields === undefined && entries.length === 0) return object;
  if (managedFields === (entries as unknown)) return object;
  if (entries.length === 0) return { ...object, metadata };
  return { ...object, metadata: { ...metadata, managedFields: [...entries] } };
}

/** Whether two objects have the same owners but for the times of their entries. */
export function haveSameOwners(a: KubeObject, b: KubeObject): boolean {
  return isSameOwners(a.metadata.managedFields ?? [], b.metadata.managedFields ?? [], equal);
}

export function ownershipContext(
  resource: Resource,
  subresource: string,
  now: string,
): OwnershipContext {
  const versions = resource.custom?.versions ?? versionsOf(resource.stored);
  const ignored = ignoredFields(resource, subresource);
  return { version: (apiVersion) => versions.get(apiVersion), ignored, now };
}

const versions = new Map<Kind, Map<string, Version>>();

/** Every version in which the objects of a stored kind are served. */
function versionsOf(stored: Kind): Map<string, Version> {
  let known = versions.get(stored);
  if (!known) {
    const kinds = allKinds().filter((kind) => storedKind(kind) === stored);
    known = new Map(kinds.map((kind) => [kind.apiVersion, versionOf(kind)]));
    versions.set(stored, known);
  }
  return known;
}

function versionOf({ typeName, conversion }: Kind): Version {
  const type = tableType(typeName);
  if (!conversion) return { type, show: (object) => object };
  return { type, show: (object) => conversion.fromStored(object as KubeObject) };
}

/** The one field at the top that a subresource writes. */
const written: Readonly<Record<string, string>> = { status: "status", approval: "status" };

/** What a write there leaves as it is, so that nobody comes to own it by saying it. */
function ignoredFields({ kind, stored }: Resource, subresource: string): FieldSet {
  if (subresource === "") {
    return stored.subresources.includes("status") ? fieldSet(["f:status"]) : EMPTY_SET;
  }
  const fields = kind.model?.fields ?? Object.keys(typeSchema(kind.typeName).fields);
  const others = fields.filter((field) => field !== (written[subresource] ?? "spec"));
  return fieldSet(...others.map((field) => [fieldElement(field)]));
}

const empties = new Map<string, object>();

/** What Go calls the zero value: its fields are no news in a new object. */
export function emptyObject({ typeName, model }: Kind): object {
  if (model) return model.decode({}, []);
  let empty = empties.get(typeName);
  if (!empty) {
    empty = decodeType<object>(typeName, {}).object;
    empties.set(typeName, empty);
  }
  return empty;
}

export function ownersAsGiven(entries: Entries): Own {
  return (object) => withOwners(object, entries);
}

export function mustBeNil(): Error {
  return apiError("BadRequest", "metadata.managedFields must be nil");
}
