/** What the API itself keeps in every object's metadata: identity, time, generation, deletion. */

import equal from "fast-deep-equal";
import { apiError, conflict } from "../../manifests/api-error.ts";
import type { KubeObject } from "../../manifests/index.ts";
import type { Random } from "../../runtime/random.ts";
import { nameOf, type Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

/** Names made from generateName are cut so that the suffix fits (k8s: names/generate.go). */
const longestGeneratedBase = 58;
const suffixLength = 5;

/** RFC 3339 to the second, as metav1.Time is written. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** The path is right, and the body may only agree with it. */
export function assertPlace(resource: Resource, request: ApiRequest, object: KubeObject): void {
  const { namespace, name } = object.metadata;
  if (resource.kind.namespaced) {
    if (!request.namespace) {
      throw apiError("BadRequest", "an empty namespace may not be set during creation");
    }
    if (namespace && namespace !== request.namespace)
      throw differs(
        "namespace of the provided object does not match the namespace sent on the request",
      );
  } else if (namespace) {
    throw differs("namespace of the provided object must be empty: the resource is cluster-scoped");
  }
  if (request.name && name && name !== request.name) {
    throw differs(
      `name of the object (${name}) does not match the name on the URL (${request.name})`,
    );
  }
}

function differs(what: string): Error {
  return apiError("BadRequest", `the ${what}`);
}

export interface Stamp {
  now: string;
  random: Random;
}

/** A new object: whatever a client says of these fields is overruled. */
export function stampNew(
  resource: Resource,
  request: ApiRequest,
  object: KubeObject,
  { now, random }: Stamp,
): KubeObject {
  const {
    resourceVersion: _version,
    selfLink: _link,
    deletionTimestamp: _deletion,
    deletionGracePeriodSeconds: _grace,
    managedFields: _managed,
    generation: _generation,
    ...kept
  } = object.metadata;
  const given = kept.name || request.name;
  const name = given || generateName(kept.generateName, random);
  const metadata = {
    ...kept,
    ...(name ? { name } : {}),
    ...(resource.kind.namespaced ? { namespace: request.namespace } : {}),
    uid: random.uuid(),
    ...(resource.hooks.generation ? { generation: 1 } : {}),
    creationTimestamp: now,
  };
  return { ...object, metadata };
}

function generateName(base: string | undefined, random: Random): string | undefined {
  if (!base) return undefined;
  return base.slice(0, longestGeneratedBase) + random.suffix(suffixLength);
}

/** A changed object: identity, times and deletion stay as they are. */
export function keepIdentity(object: KubeObject, old: KubeObject): KubeObject {
  const { selfLink: _link, ...given } = object.metadata;
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = old.metadata;
  const { name, namespace, generation, generateName, resourceVersion, managedFields } =
    old.metadata;
  const kept = {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    name,
    namespace,
    generation,
    generateName,
    resourceVersion,
    managedFields,
  };
  const metadata = { ...given };
  for (const field of Object.keys(kept) as (keyof typeof kept)[]) {
    const value = kept[field];
    if (value === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: value });
  }
  return { ...object, metadata };
}

/** One more whenever what is wanted changed: anything but metadata and status. */
export function withGeneration(
  resource: Resource,
  object: KubeObject,
  old: KubeObject,
): KubeObject {
  const { generation } = resource.hooks;
  if (!generation) return object;
  const separate = resource.stored.subresources.includes("status");
  const { annotations } = object.metadata;
  const told = generation === "annotations" && !equal(annotations, old.metadata.annotations);
  if (!told && equal(wantedOf(object, separate), wantedOf(old, separate))) return object;
  return bumpGeneration(object, old);
}

export function bumpGeneration(object: KubeObject, old: KubeObject): KubeObject {
  const generation = (old.metadata.generation ?? 0) + 1;
  return { ...object, metadata: { ...object.metadata, generation } };
}

/** A status that is written with the rest is as wanted as the rest. */
function wantedOf(object: KubeObject, hasStatus: boolean): object {
  const { metadata: _metadata, ...rest } = object as KubeObject & { status?: unknown };
  if (!hasStatus) return rest;
  const { status: _status, ...wanted } = rest;
  return wanted;
}

export interface Preconditions {
  uid?: string;
  resourceVersion?: string;
}

/** k8s: storage.Preconditions.Check, in its words. */
export function assertPreconditions(
  resource: Resource,
  object: KubeObject,
  { uid, resourceVersion }: Preconditions,
): void {
  const { metadata } = object;
  const of = nameOf(resource);
  const name = metadata.name ?? "";
  if (uid && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(of, name, why);
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    const why =
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ` +
      `ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(of, name, why);
  }
}
