/**
 * Which ReplicaSet is a Deployment's newest, and how revisions are written down
 * (k8s:pkg/controller/deployment/util/deployment_util.go). Pure.
 */

import equal from "fast-deep-equal";
import type { Deployment, PodTemplateSpec, ReplicaSet } from "../../manifests/index.ts";
import { parseTime } from "../kit/time.ts";

export const hashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
const historyAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";
const longestHistory = 2_000;

/** What a ReplicaSet does not inherit from its Deployment's annotations. */
const ownAnnotations: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

export interface Generations {
  /** The one with the Deployment's own template, if it exists. */
  newest: ReplicaSet | undefined;
  old: ReplicaSet[];
}

/** Of several with the same template the oldest is taken, so that everybody takes the same. */
export function splitGenerations(deployment: Deployment, sets: readonly ReplicaSet[]): Generations {
  const newest = byCreation(sets).find(({ spec }) =>
    sameTemplate(spec.template, deployment.spec.template),
  );
  return { newest, old: sets.filter((set) => set !== newest) };
}

export function byCreation(sets: readonly ReplicaSet[]): ReplicaSet[] {
  const createdAt = ({ metadata }: ReplicaSet) => parseTime(metadata.creationTimestamp) ?? 0;
  const name = ({ metadata }: ReplicaSet) => metadata.name;
  return [...sets].sort(
    (a, b) => createdAt(a) - createdAt(b) || (name(a) < name(b) ? -1 : Number(name(a) > name(b))),
  );
}

export function sameTemplate(
  a: PodTemplateSpec | undefined,
  b: PodTemplateSpec | undefined,
): boolean {
  return equal(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  const metadata = { ...template?.metadata, labels };
  return { ...template, metadata: JSON.parse(JSON.stringify(metadata)) };
}

/**
 * Names a template: 32 bits of FNV-1a in the alphabet of generated names.
 *
 * Differs from Kubernetes: hashed is the template's JSON with sorted keys, not Go's own notation,
 * so that the same Deployment has another hash there.
 */
export function templateHash(template: PodTemplateSpec, collisionCount: number): string {
  const text = canonical(withoutHash(template)) + (collisionCount > 0 ? `#${collisionCount}` : "");
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  const alphabet = "bcdfghjklmnpqrstvwxz2456789";
  return [...String(hash)].map((digit) => alphabet[digit.charCodeAt(0) % 27]).join("");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(",")}}`;
}

export function revisionOf({ metadata }: ReplicaSet | Deployment): number {
  return Number.parseInt(metadata.annotations?.[revisionAnnotation] ?? "0", 10) || 0;
}

export function nextRevision(old: readonly ReplicaSet[]): number {
  return Math.max(0, ...old.map(revisionOf)) + 1;
}

type Annotations = Record<string, string>;

/** The newest ReplicaSet's annotations: the Deployment's, and the revision with what it was before. */
export function computeAnnotations(
  deployment: Deployment,
  before: Annotations,
  revision: number,
): Annotations {
  const inherited = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([name]) => !ownAnnotations.has(name),
  );
  const after: Annotations = { ...before, ...Object.fromEntries(inherited) };
  const old = before[revisionAnnotation];
  if (Number.parseInt(old ?? "0", 10) >= revision) return after;
  after[revisionAnnotation] = String(revision);
  if (old !== undefined) after[historyAnnotation] = appendHistory(before[historyAnnotation], old);
  return after;
}

/** The oldest revisions fall off when the list grows too long for an annotation. */
function appendHistory(history: string | undefined, revision: string): string {
  const revisions = history ? history.split(",") : [];
  revisions.push(revision);
  while (revisions.length > 1 && revisions.join(",").length > longestHistory) revisions.shift();
  return revisions.join(",");
}

/** ReplicaSets beyond revisionHistoryLimit that nothing runs from, oldest revision first. */
export function computeExpired(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return [];
  const candidates = old
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .sort((a, b) => revisionOf(a) - revisionOf(b));
  return candidates.slice(0, Math.max(0, candidates.length - limit)).filter(isIdle);
}

function isIdle({ metadata, spec, status }: ReplicaSet): boolean {
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return seen && spec.replicas === 0 && (status?.replicas ?? 0) === 0;
}
