/**
 * PodSecurity: the standards that a namespace's labels ask for. Pods that break the enforced level
 * are refused, what breaks another one is warned about or audited; of what makes pods (a
 * Deployment) only the last two. k8s: k8s.io/pod-security-admission/admission.
 */

import { ApiError, type ApiStatus } from "../../../manifests/api-error.ts";
import {
  CronJob,
  DaemonSet,
  Deployment,
  type FieldError,
  invalidStatus,
  Job,
  type Kind,
  type KubeObject,
  Namespace,
  Pod,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../../../manifests/index.ts";
import {
  formatViolations,
  judgePod,
  type SecurityLevel,
  type Subject,
} from "../../../manifests/kinds/pod-security.ts";
import { type AdmissionContext, type Attributes, concerns, type Plugin, refused } from "./chain.ts";

export interface PodSecurityExemptions {
  readonly usernames?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly runtimeClasses?: readonly string[];
}

const prefix = "pod-security.kubernetes.io/";
const levels: readonly string[] = ["privileged", "baseline", "restricted"];
const modes = ["enforce", "audit", "warn"] as const;

interface Standard {
  readonly level: SecurityLevel;
  readonly version: string;
  /** Infinity for the latest. */
  readonly minor: number;
}

type Policy = Readonly<Record<(typeof modes)[number], Standard>>;

const templated: readonly Kind[] = [
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
];

export function podSecurity(exemptions: PodSecurityExemptions = {}): Plugin {
  const { usernames = [], namespaces = [], runtimeClasses = [] } = exemptions;

  function exemption(user: string, namespace: string, { spec }: Subject): string | undefined {
    if (usernames.includes(user)) return "user";
    if (namespaces.includes(namespace)) return "namespace";
    return runtimeClasses.includes(spec.runtimeClassName ?? "") ? "runtimeClass" : undefined;
  }

  function judge(attributes: Attributes, context: AdmissionContext): void {
    const { resource, object, namespace } = attributes;
    const found = context.reader.get(Namespace, "", namespace);
    const labels = found?.metadata.labels ?? {};
    if (!modes.some((mode) => labels[prefix + mode])) {
      if (resource.stored === Pod)
        context.annotate(`${prefix}enforce-policy`, nameOf(policyOf({}).enforce));
      return;
    }
    const subject = subjectOf(object);
    if (!subject) return;
    const exempt = exemption(attributes.user.name, namespace, subject);
    if (exempt) {
      context.annotate(`${prefix}exempt`, exempt);
      return;
    }
    const { enforce, audit, warn } = policyOf(labels);
    if (resource.stored === Pod) {
      context.annotate(`${prefix}enforce-policy`, nameOf(enforce));
      const why = violationsOf(subject, enforce);
      if (why) throw refused(attributes, `violates ${why}`);
    }
    const audited = violationsOf(subject, audit);
    if (audited) context.annotate(`${prefix}audit-violations`, `would violate ${audited}`);
    const warned = violationsOf(subject, warn);
    if (warned) context.warn(`would violate ${warned}`);
  }

  return {
    name: "PodSecurity",
    handles: (target) =>
      concerns(target, [Pod], "CREATE") ||
      concerns(target, [Namespace, ...templated], "CREATE", "UPDATE") ||
      (target.resource.stored === Pod && target.subresource === "ephemeralcontainers"),
    validate(attributes, context) {
      if (attributes.resource.stored !== Namespace) return judge(attributes, context);
      assertLabels(attributes);
      const isExempt = (pod: Pod) => exemption("", attributes.name, pod) !== undefined;
      if (attributes.old) warnOfPods(attributes, context, isExempt);
    },
  };
}

function subjectOf(object: KubeObject | undefined): Subject | undefined {
  const { spec, template, metadata } = (object ?? {}) as {
    metadata?: KubeObject["metadata"];
    template?: Subject;
    spec?: { template?: Subject; jobTemplate?: { spec?: { template?: Subject } } };
  };
  const own = template ?? spec?.jobTemplate?.spec?.template ?? spec?.template;
  const inner = own ?? (spec && metadata ? ({ metadata, spec } as unknown as Subject) : undefined);
  return inner?.spec?.containers ? { ...inner, metadata: inner.metadata ?? {} } : undefined;
}

/** What a namespace does not say, or says wrongly after all, is the most that a level allows. */
function policyOf(labels: Readonly<Record<string, string>>): Policy {
  const standard = (mode: string): Standard => {
    const level = labels[prefix + mode] ?? "privileged";
    const version = labels[`${prefix}${mode}-version`] ?? "latest";
    const known = levels.includes(level) ? (level as SecurityLevel) : "restricted";
    return { level: known, version, minor: minorOf(version) ?? Number.POSITIVE_INFINITY };
  };
  return { enforce: standard("enforce"), audit: standard("audit"), warn: standard("warn") };
}

function minorOf(version: string): number | undefined {
  if (version === "latest") return Number.POSITIVE_INFINITY;
  const match = /^v1\.(0|[1-9]\d*)$/.exec(version);
  return match ? Number(match[1]) : undefined;
}

function nameOf({ level, version }: Standard): string {
  return `${level}:${version}`;
}

function violationsOf(subject: Subject, standard: Standard): string | undefined {
  const violations = judgePod(subject, standard.level, standard.minor);
  if (violations.length === 0) return undefined;
  return `PodSecurity "${nameOf(standard)}": ${formatViolations(violations)}`;
}

/** A namespace whose labels say nothing that we know would enforce nothing that its owner meant. */
function assertLabels({ object, old, resource }: Attributes): void {
  const { labels = {}, name } = (object as Namespace).metadata;
  const before = old?.metadata.labels ?? {};
  const errors: FieldError[] = [];
  const wrong = (key: string, badValue: string, detail: string) =>
    errors.push({
      reason: "FieldValueInvalid",
      field: `metadata.labels[${key}]`,
      badValue,
      detail,
    });
  for (const mode of modes) {
    const [levelKey, versionKey] = [prefix + mode, `${prefix}${mode}-version`];
    const [level, version] = [labels[levelKey], labels[versionKey]];
    if (level !== undefined && level !== before[levelKey] && !levels.includes(level)) {
      wrong(levelKey, level, `must be one of ${levels.join(", ")}`);
    }
    const known = version === undefined || minorOf(version) !== undefined;
    if (!known && version !== before[versionKey]) {
      wrong(versionKey, version, 'must be "latest" or "v1.x"');
    }
  }
  if (errors.length === 0) return;
  throw new ApiError(invalidStatus(resource.kind, name, errors) as ApiStatus);
}

/** Upstream looks at no more for one answer. */
const mostPods = 3_000;

/** What is there already stays; its owner is told which of it would not be let in again. */
function warnOfPods(
  { object, old }: Attributes,
  { reader, warn }: AdmissionContext,
  isExempt: (pod: Pod) => boolean,
): void {
  const { name, labels = {} } = (object as Namespace).metadata;
  const { enforce } = policyOf(labels);
  const before = policyOf(old?.metadata.labels ?? {}).enforce;
  const stricter = levels.indexOf(enforce.level) > levels.indexOf(before.level);
  const same = enforce.level === before.level && enforce.version === before.version;
  if (same || (!stricter && enforce.level === "privileged")) return;
  const found = new Map<string, string[]>();
  for (const pod of reader.list(Pod, name).slice(0, mostPods)) {
    if (isExempt(pod)) continue;
    const violations = judgePod(pod, enforce.level, enforce.minor);
    if (violations.length === 0) continue;
    const reasons = violations.map(({ reason }) => reason).join(", ");
    found.set(reasons, [...(found.get(reasons) ?? []), pod.metadata.name ?? ""]);
  }
  if (found.size === 0) return;
  warn(
    `existing pods in namespace "${name}" violate the new PodSecurity enforce level "${nameOf(enforce)}"`,
  );
  for (const [reasons, [first, ...more]] of found) {
    const others = more.length === 1 ? " (and 1 other pod)" : ` (and ${more.length} other pods)`;
    warn(`${first}${more.length > 0 ? others : ""}: ${reasons}`);
  }
}
