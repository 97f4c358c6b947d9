/** Stage "merge": what a patch, in each of its formats, makes of an object. */

import { apiError } from "../../manifests/api-error.ts";
import {
  aggregateMessage,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  DecodeError,
  fieldErrorBody,
  goValue,
  type KubeObject,
  PatchError,
} from "../../manifests/index.ts";
import type { Merge, Merged } from "./change.ts";
import {
  decodeStrictly,
  fieldValidation,
  mediaType,
  parseBody,
  unsupportedMediaType,
} from "./decode.ts";
import { applyType } from "./owners.ts";
import type { Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

type Patch = (typeName: string, current: object, patch: unknown) => unknown;

interface PatchFormat {
  readonly apply: Patch;
  /** What upstream quotes when the outcome is none: its JSON, or the patch as Go prints a map. */
  readonly quote: (outcome: unknown, patch: unknown) => string;
}

const quoteOutcome = (outcome: unknown) => JSON.stringify(outcome);

const strategicType = "application/strategic-merge-patch+json";

const formats: Readonly<Record<string, PatchFormat>> = {
  "application/json-patch+json": {
    apply: (_type, current, patch) => applyJsonPatch(current, patch),
    quote: quoteOutcome,
  },
  "application/merge-patch+json": {
    apply: (_type, current, patch) => applyMergePatch(current, patch),
    quote: quoteOutcome,
  },
  [strategicType]: {
    apply: applyStrategicMergePatch,
    quote: (_outcome, patch) => goValue(patch),
  },
};

const accepted = [...Object.keys(formats), applyType];

/** PATCH of an object. `kind` is the one that was asked for, which may not be the stored one. */
export function patchWith(resource: Resource, request: ApiRequest): Merge {
  const { kind } = resource;
  if (kind.model && mediaType(request.contentType) === strategicType) {
    throw unsupportedMediaType(accepted.filter((type) => type !== strategicType));
  }
  const validation = fieldValidation(request.query);
  const patch = patchValue(kind.typeName, request, (value, duplicates) =>
    decodeStrictly(kind, value, validation, duplicates),
  );
  return (current) => {
    const shown = kind.conversion?.fromStored(current) ?? current;
    const { object, warnings } = patch(shown);
    return mergedOf(kind.conversion?.toStored(object) ?? object, current, warnings);
  };
}

/**
 * PATCH of any type, also of what a subresource shows instead of the object, such as a Scale.
 * `decode` makes sense of the outcome; its DecodeError means that the patch is to blame.
 */
export function patchValue<T>(
  typeName: string,
  request: ApiRequest,
  decode: (value: unknown, duplicates: readonly string[]) => T,
): (current: object) => T {
  const type = mediaType(request.contentType);
  const format = formats[type];
  if (!format) throw unsupportedMediaType(accepted);
  const { body } = request;
  const { value: patch, duplicates } = parseBody({ body, contentType: "application/json" });
  if (patch === undefined || patch === null || typeof patch !== "object") {
    throw apiError("BadRequest", "the body of a patch must be a JSON object or array");
  }
  return (current) => {
    const outcome = applied(() => format.apply(typeName, current, patch));
    try {
      return decode(outcome, duplicates);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw invalidPatch(format.quote(outcome, patch), error);
    }
  };
}

function applied<T>(apply: () => T): T {
  try {
    return apply();
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw refusalOf(error);
  }
}

/** Differs from Kubernetes: says in a cause what does not fit, where upstream says only that something does not. */
function refusalOf(error: PatchError): Error {
  const { message, code } = error;
  switch (code) {
    case 400:
      return apiError("BadRequest", message, undefined, { cause: error });
    case 413: {
      const text = `Request entity too large: ${message}`;
      return apiError("RequestEntityTooLarge", text, undefined, { cause: error });
    }
    case 422: {
      const text = "the server rejected our request due to an error in our request";
      const causes = [{ reason: "FieldValueInvalid", message, field: "patch" }];
      return apiError("Invalid", text, { causes }, { cause: error });
    }
    default:
      return code satisfies never;
  }
}

/** k8s: apiserver/pkg/endpoints/handlers/patch.go, whose error names neither a kind nor an object. */
function invalidPatch(badValue: string, cause: DecodeError): Error {
  const fault = {
    reason: "FieldValueInvalid",
    field: "patch",
    badValue,
    detail: cause.message,
  } as const;
  const { reason, field } = fault;
  const message = ` "" is invalid: ${aggregateMessage([fault])}`;
  const details = { causes: [{ reason, message: fieldErrorBody(fault), field }] };
  return apiError("Invalid", message, details, { cause });
}

/** A patch that changes resourceVersion or uid means: only if they are so now. */
function mergedOf(object: KubeObject, current: KubeObject, warnings: string[]): Merged {
  const { resourceVersion, uid } = object.metadata;
  assertUnmoved(object.metadata, current.metadata);
  const patched = resourceVersion !== current.metadata.resourceVersion;
  return { object, warnings, ...(patched ? { resourceVersion } : {}), ...(uid ? { uid } : {}) };
}

/** k8s: endpoints/handlers checkName. */
function assertUnmoved(given: KubeObject["metadata"], kept: KubeObject["metadata"]): void {
  if (given.name !== kept.name) {
    const what = given.name
      ? `the name of the object (${given.name}) does not match the name on the URL (${kept.name})`
      : `the name of the object (${kept.name} based on URL) was undeterminable: name must be provided`;
    throw apiError("BadRequest", what);
  }
  if (given.namespace === kept.namespace || !given.namespace) return;
  const what = `the namespace of the object (${given.namespace})`;
  const asked = `the namespace on the request (${kept.namespace ?? ""})`;
  throw apiError("BadRequest", `${what} does not match ${asked}`);
}
