/** Conditions and the comparison of statuses, for all kinds alike. */

import equal from "fast-deep-equal";
import { ApiError } from "../../manifests/api-error.ts";

interface Condition {
  type: string;
  status: string;
  reason?: string;
  lastTransitionTime?: string;
}

/**
 * The conditions with `next` among them, last. The same status and reason is no change at all, and
 * the same status keeps the time of its transition (k8s:pkg/controller `SetCondition`s).
 */
export function setCondition<C extends Condition>(before: readonly C[], next: C): C[] {
  const current = before.find(({ type }) => type === next.type);
  if (current?.status === next.status && current.reason === next.reason) return [...before];
  const others = before.filter(({ type }) => type !== next.type);
  const since = current?.status === next.status ? current.lastTransitionTime : undefined;
  return [...others, { ...next, lastTransitionTime: since ?? next.lastTransitionTime }];
}

/** Whether the API would store the same: what is empty or zero is not written out. */
export function sameStatus(a: object, b: object): boolean {
  return equal(withoutEmpty(a), withoutEmpty(b));
}

function withoutEmpty(status: object): object {
  const kept = Object.entries(status).filter(
    ([, value]) => value !== undefined && value !== 0 && !(Array.isArray(value) && !value.length),
  );
  return Object.fromEntries(kept);
}

/** The write met a namespace whose end has begun (k8s: cause NamespaceTerminating). */
export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return Boolean(
    error.status.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating"),
  );
}
