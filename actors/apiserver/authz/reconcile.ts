/**
 * Auto-reconciliation of the default roles and bindings at each start: what is missing is put
 * back, what somebody added stays, and who annotates an object with autoupdate=false keeps it as
 * it is. After k8s:component-helpers/auth/rbac/reconciliation.
 */

import equal from "fast-deep-equal";
import type { Kind, KubeObject, LabelSelector, Subject } from "../../../manifests/index.ts";
import type { LocalApi } from "../local.ts";
import { autoUpdate, defaultPolicy, type Grantor } from "./defaults.ts";
import { uncovered } from "./rules.ts";

export type Step =
  | { type: "create"; object: Grantor }
  | { type: "update"; object: Grantor }
  /** A binding's roleRef cannot change. */
  | { type: "recreate"; object: Grantor };

/** Rejects when anything could not be written; to be tried again. */
export async function ensureDefaultPolicy(api: LocalApi): Promise<void> {
  const wanted = defaultPolicy();
  const existing = new Map<string, Grantor>();
  for (const kind of new Set(wanted.map(({ kind }) => kind))) {
    for (const object of await api.list(kind, "")) existing.set(idOf(kind, object), object);
  }
  await Promise.all(
    wanted.map(async ({ kind, object }) => {
      const step = computeStep(object, existing.get(idOf(kind, object)));
      if (step) await take(api, kind, step);
    }),
  );
}

async function take(api: LocalApi, kind: Kind, { type, object }: Step): Promise<void> {
  const { name = "", namespace = "", uid } = object.metadata;
  if (type === "update") await api.update(kind, object);
  else {
    if (type === "recreate") await api.delete(kind, namespace, name, uid);
    const { uid: _uid, resourceVersion: _version, ...metadata } = object.metadata;
    await api.ensure(kind, { ...object, metadata });
  }
}

/** Undefined when nothing is missing, or when the object is not ours to mend. */
export function computeStep(wanted: Grantor, existing: Grantor | undefined): Step | undefined {
  if (!existing) return { type: "create", object: wanted };
  if (existing.metadata.annotations?.[autoUpdate] === "false") return undefined;
  const metadata = {
    ...existing.metadata,
    labels: { ...wanted.metadata.labels, ...existing.metadata.labels },
    annotations: { ...wanted.metadata.annotations, ...existing.metadata.annotations },
  };
  const object = {
    ...existing,
    metadata,
    ...(wanted.roleRef ? bound(wanted, existing) : given(wanted, existing)),
  };
  if (wanted.roleRef && !equal(wanted.roleRef, existing.roleRef)) {
    return { type: "recreate", object: { ...object, roleRef: wanted.roleRef } };
  }
  return equal(object, existing) ? undefined : { type: "update", object };
}

function given(wanted: Grantor, existing: Grantor): Partial<Grantor> {
  if (wanted.aggregationRule) {
    const has = existing.aggregationRule?.clusterRoleSelectors ?? [];
    const wants = wanted.aggregationRule.clusterRoleSelectors ?? [];
    const missing = wants.filter(
      (selector: LabelSelector) => !has.some((own) => equal(own, selector)),
    );
    if (missing.length === 0) return {};
    return { aggregationRule: { clusterRoleSelectors: [...has, ...missing] } };
  }
  const has = existing.rules ?? [];
  const missing = (wanted.rules ?? []).filter((rule) => uncovered(has, [rule]).length > 0);
  return missing.length > 0 ? { rules: [...has, ...missing] } : {};
}

function bound(wanted: Grantor, existing: Grantor): Partial<Grantor> {
  const has = existing.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter(
    (subject) => !has.some((own) => same(own, subject)),
  );
  return missing.length > 0 ? { subjects: [...has, ...missing] } : {};
}

function same(a: Subject, b: Subject): boolean {
  return a.kind === b.kind && a.name === b.name && (a.namespace ?? "") === (b.namespace ?? "");
}

function idOf(kind: Kind, { metadata }: KubeObject): string {
  return `${kind.resource} ${metadata.namespace ?? ""}/${metadata.name}`;
}
