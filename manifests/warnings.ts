/**
 * What is odd about an object that is valid all the same, as upstream tells it in the Warning header: fields that are
 * on their way out, and what somebody will hardly have meant (k8s:pkg/api/*\/warnings.go and the strategies' own).
 */
import type { Kind, KubeObject } from "./kinds/kind.ts";
import { objectWarnings } from "./kinds/object-warnings.ts";
import { podTemplateWarnings } from "./kinds/pod-warnings.ts";
import type { PodTemplateSpec } from "./schema/types.generated.ts";
import { dnsLabel } from "./validation/formats.ts";
import { sameValue } from "./validation/validator.ts";

type Fields = Record<string, unknown>;

/** Where the kinds that make pods have their template. */
const TEMPLATES: Record<string, readonly string[]> = {
  "core.v1.PodTemplate": ["template"],
  "core.v1.ReplicationController": ["spec", "template"],
  "apps.v1.Deployment": ["spec", "template"],
  "apps.v1.ReplicaSet": ["spec", "template"],
  "apps.v1.StatefulSet": ["spec", "template"],
  "apps.v1.DaemonSet": ["spec", "template"],
  "batch.v1.Job": ["spec", "template"],
  "batch.v1.CronJob": ["spec", "jobTemplate", "spec", "template"],
};

/** A pod is called after these, and its host after it. */
const NAMES_PODS = new Set([
  "core.v1.ReplicationController",
  "apps.v1.Deployment",
  "apps.v1.ReplicaSet",
  "batch.v1.Job",
  "batch.v1.CronJob",
]);

/** `old` is given for an update, which is warned about only when it changes what is wanted. */
export function warningsFor<T extends KubeObject>(kind: Kind<T>, object: T, old?: T): string[] {
  const { typeName } = kind;
  const isPod = typeName === "core.v1.Pod";
  const path = TEMPLATES[typeName];
  const own = objectWarnings[typeName] as ((value: T, old: T | undefined) => string[]) | undefined;
  if (!isPod && !path && !own) return [];
  if (old && sameValue(specOf(object), specOf(old))) return [];
  const warnings = old ? [] : nameWarnings(typeName, object.metadata.name ?? "");
  if (isPod)
    warnings.push(...podTemplateWarnings(object as PodTemplateSpec, "", old !== undefined));
  if (path) {
    let template: unknown = object;
    for (const key of path) template = (template as Fields | undefined)?.[key];
    const at = `${path.join(".")}.`;
    if (template) warnings.push(...podTemplateWarnings(template, at, old !== undefined));
  }
  return own ? [...warnings, ...own(object, old)] : warnings;
}

function specOf(object: KubeObject): Fields {
  const { metadata, status: _status, ...rest } = object as KubeObject & { status?: unknown };
  return { ...rest, annotations: metadata.annotations };
}

function nameWarnings(typeName: string, name: string): string[] {
  const isPod = typeName === "core.v1.Pod";
  if (!isPod && !NAMES_PODS.has(typeName)) return [];
  const faults = dnsLabel(name);
  if (faults.length === 0) return [];
  const where = isPod ? "the Pod's hostname" : "Pod names and hostnames";
  const what = "which can result in surprising behavior; a DNS label is recommended";
  return [`metadata.name: this is used in ${where}, ${what}: [${faults.join(" ")}]`];
}
