/** Stage "merge": what a patch, in each of its formats, makes of an object. */

import { apiError } from "../../manifests/api-error.ts";
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  type KubeObject,
  PatchError,
} from "../../manifests/index.ts";
import type { Merge, Merged } from "./change.ts";
import {
  decodeValue,
  fieldValidation,
  mediaType,
  parseBody,
  unsupportedMediaType,
} from "./decode.ts";
import type { Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

type Patch = (typeName: string, current: object, patch: unknown) => unknown;

const patches: Readonly<Record<string, Patch>> = {
  "application/json-patch+json": (_type, current, patch) => applyJsonPatch(current, patch),
  "application/merge-patch+json": (_type, current, patch) => applyMergePatch(current, patch),
  "application/strategic-merge-patch+json": applyStrategicMergePatch,
};

/** Server-side apply has an issue of its own; clients fall back when they are told so. */
const applyType = "application/apply-patch+yaml";

/** PATCH of an object. `kind` is the one that was asked for, which may not be the stored one. */
export function patchWith(resource: Resource, request: ApiRequest): Merge {
  const { kind } = resource;
  const patched = patchValue(kind.typeName, request);
  const validation = fieldValidation(request.query);
  return (current) => {
    const shown = kind.conversion?.fromStored(current) ?? current;
    const { object, warnings } = decodeValue(kind, patched(shown), validation);
    return mergedOf(kind.conversion?.toStored(object) ?? object, current, warnings);
  };
}

/** PATCH of what a subresource shows instead of the object, such as a Scale. */
export function patchValue(typeName: string, request: ApiRequest): (current: object) => unknown {
  const type = mediaType(request.contentType);
  const apply = patches[type];
  if (!apply) throw unsupportedPatch(type);
  const { value } = parseBody({ body: request.body, contentType: "application/json" });
  if (value === undefined || value === null || typeof value !== "object") {
    throw apiError("BadRequest", "the body of a patch must be a JSON object or array");
  }
  return (current) => {
    try {
      return apply(typeName, current, value);
    } catch (error) {
      if (!(error instanceof PatchError)) throw error;
      const reason = error.code === 422 ? "Invalid" : "BadRequest";
      throw apiError(reason, error.message, undefined, { cause: error });
    }
  };
}

/** A patch that changes resourceVersion or uid means: only if they are so now. */
function mergedOf(object: KubeObject, current: KubeObject, warnings: string[]): Merged {
  const { resourceVersion, uid, name, namespace } = object.metadata;
  if (name !== current.metadata.name || namespace !== current.metadata.namespace) {
    throw apiError("BadRequest", "the name and namespace of an object may not be patched");
  }
  const patched = resourceVersion !== current.metadata.resourceVersion;
  return { object, warnings, ...(patched ? { resourceVersion } : {}), ...(uid ? { uid } : {}) };
}

function unsupportedPatch(type: string): Error {
  if (type !== applyType) return unsupportedMediaType(type, Object.keys(patches));
  const accepted = Object.keys(patches).join(", ");
  return apiError(
    "UnsupportedMediaType",
    `server-side apply is not served: the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}
