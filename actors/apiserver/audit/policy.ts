/**
 * The audit policy: how much is recorded of which request (audit.k8s.io/v1 Policy). Pure.
 * The first rule that matches decides, as k8s:apiserver/pkg/audit/policy/checker.go has it.
 */

import type { User } from "../request.ts";

export const auditLevels = ["None", "Metadata", "Request", "RequestResponse"] as const;
export type AuditLevel = (typeof auditLevels)[number];

export const auditStages = [
  "RequestReceived",
  "ResponseStarted",
  "ResponseComplete",
  "Panic",
] as const;
export type AuditStage = (typeof auditStages)[number];

interface GroupResources {
  readonly group?: string;
  /** `pods`, `pods/log`, `pods/*`, `*` followed by a subresource, or `*`. */
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface ObjectPlace {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Audited {
  readonly user: User;
  readonly verb: string;
  /** Without the query. */
  readonly path: string;
  /** Undefined for paths that are no resources. */
  readonly object: ObjectPlace | undefined;
}

export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

export function decideAudit(policy: AuditPolicy, audited: Audited): AuditDecision {
  const rule = policy.rules.find((one) => matches(one, audited));
  return {
    level: rule?.level ?? "None",
    omitStages: [...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])],
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

function matches(rule: AuditRule, audited: Audited): boolean {
  const { users = [], userGroups = [], verbs = [], nonResourceURLs = [] } = rule;
  const { user, verb, path, object } = audited;
  if (users.length > 0 && !users.includes(user.name)) return false;
  if (userGroups.length > 0 && !userGroups.some((group) => user.groups.includes(group))) {
    return false;
  }
  if (verbs.length > 0 && !verbs.includes(verb)) return false;
  if (rule.namespaces?.length || rule.resources?.length) {
    return object !== undefined && matchesObject(rule, object);
  }
  if (nonResourceURLs.length === 0) return true;
  return object === undefined && nonResourceURLs.some((pattern) => matchesPath(pattern, path));
}

function matchesObject({ namespaces = [], resources = [] }: AuditRule, object: ObjectPlace) {
  if (namespaces.length > 0 && !namespaces.includes(object.namespace)) return false;
  return resources.length === 0 || resources.some((one) => matchesResources(one, object));
}

function matchesResources(of: GroupResources, object: ObjectPlace): boolean {
  if ((of.group ?? "") !== object.group) return false;
  if (!of.resources?.length) return true;
  if (of.resourceNames?.length && !of.resourceNames.includes(object.name)) return false;
  const { resource, subresource } = object;
  const asked = subresource
    ? [`${resource}/${subresource}`, `${resource}/*`, `*/${subresource}`, "*"]
    : [resource, "*"];
  return of.resources.some((one) => asked.includes(one));
}

function matchesPath(pattern: string, path: string): boolean {
  if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1));
  return pattern === path;
}

/** What a policy file says. Throws an Error whose message says what to correct. */
export function readAuditPolicy(value: unknown): AuditPolicy {
  const policy = (value ?? {}) as Partial<AuditPolicy> & { apiVersion?: string; kind?: string };
  if (policy.apiVersion !== "audit.k8s.io/v1" || policy.kind !== "Policy") {
    throw new Error("it must begin with apiVersion: audit.k8s.io/v1 and kind: Policy");
  }
  if (!Array.isArray(policy.rules) || policy.rules.length === 0) {
    throw new Error("it needs at least one rule under rules:");
  }
  assertStages("omitStages", policy.omitStages);
  for (const [at, rule] of (policy.rules as AuditRule[]).entries())
    assertRule(`rules[${at}]`, rule);
  const { rules, omitStages, omitManagedFields } = policy;
  return { rules, omitStages, omitManagedFields };
}

function assertRule(where: string, rule: AuditRule): void {
  if (!auditLevels.includes(rule.level)) {
    throw new Error(`${where}.level must be one of ${auditLevels.join(", ")}`);
  }
  assertStages(`${where}.omitStages`, rule.omitStages);
  const ofResources = rule.resources?.length || rule.namespaces?.length;
  if (ofResources && rule.nonResourceURLs?.length) {
    throw new Error(`${where} must not name both resources and nonResourceURLs`);
  }
  for (const url of rule.nonResourceURLs ?? []) {
    const isPath = url === "*" || (url.startsWith("/") && !url.slice(0, -1).includes("*"));
    if (!isPath) throw new Error(`${where}.nonResourceURLs: ${url} must begin with /, * only last`);
  }
  for (const { resources = [], resourceNames = [] } of rule.resources ?? []) {
    if (resourceNames.length > 0 && resources.length === 0) {
      throw new Error(`${where}.resources: resourceNames need resources`);
    }
  }
}

function assertStages(where: string, stages: readonly AuditStage[] | undefined): void {
  for (const stage of stages ?? []) {
    if (auditStages.includes(stage)) continue;
    throw new Error(`${where}: ${stage} is none of ${auditStages.join(", ")}`);
  }
}
