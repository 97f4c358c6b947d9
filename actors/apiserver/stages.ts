/** The stages between merge and commit: default, mutate, validate, check. */

import { ApiError, type ApiStatus, forbidden, notFound } from "../../manifests/api-error.ts";
import {
  decode,
  type FieldError,
  invalidStatus,
  type KubeObject,
  setDefaults,
  validateCreate,
  validateStatusUpdate,
  validateUpdate,
} from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import { objectKey } from "../../runtime/store/key.ts";
import { waitUntilFresh } from "./freshness.ts";
import type { Objects } from "./objects.ts";
import type { HookContext } from "./registry/hooks.ts";
import { nameOf, type Registry, type Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

export interface StageContext {
  readonly registry: Registry;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly random: Random;
}

/** Defaults, mutating admission, validation: what goes in is merged, what comes out may be committed. */
export function finish(
  resource: Resource,
  object: KubeObject,
  old: KubeObject | undefined,
  context: HookContext,
): KubeObject {
  const { hooks, stored } = resource;
  const defaulted = setDefaults(stored, object);
  if (old && context.subresource === "status") {
    // The rest is as it was, and whoever may write a status is one of us.
    assertValid(resource, object.metadata.name, validateStatusUpdate(stored, defaulted, old));
    return defaulted;
  }
  const admitted = hooks.admit?.(defaulted, old, context) ?? defaulted;
  // Decoding puts every field in the table's order, so that equal objects have equal texts.
  const { object: final } = decode(stored, admitted);
  const errors = [
    ...(old ? validateUpdate(stored, final, old) : validateCreate(stored, final)),
    ...(hooks.check?.(final, old, context) ?? []),
  ];
  assertValid(resource, final.metadata.name ?? "", errors);
  return final;
}

/** k8s: apierrors.NewInvalid. */
export function assertValid({ kind }: Resource, name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new ApiError(invalidStatus(kind, name, errors) as ApiStatus);
}

/**
 * Nothing begins to exist in a namespace that does not, or that is going. Upstream's
 * NamespaceLifecycle admission: an absence is read consistently before it is believed.
 */
export async function assertNamespace(
  context: StageContext,
  resource: Resource,
  request: ApiRequest,
  object: KubeObject,
): Promise<void> {
  if (!resource.kind.namespaced) return;
  const namespaces = context.registry.find("", "v1", "namespaces");
  const name = request.namespace;
  const key = objectKey({ group: "", resource: "namespaces", namespace: "", name });
  let entry = namespaces.store.view.get(key);
  if (!entry) {
    await waitUntilFresh(namespaces.store, undefined);
    entry = namespaces.store.view.get(key);
  }
  if (!entry) throw notFound(nameOf(namespaces), name);
  if (!context.objects.parsed(namespaces, entry).metadata.deletionTimestamp) return;
  const message = `namespace ${name} is being terminated`;
  const why = `unable to create new content in namespace ${name} because it is being terminated`;
  const error = forbidden(nameOf(resource), object.metadata.name ?? "", why);
  error.status.details = {
    ...error.status.details,
    causes: [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }],
  };
  throw error;
}
