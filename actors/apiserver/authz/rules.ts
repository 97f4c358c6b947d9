/**
 * Rules of RBAC, alone: what one allows, whether some cover another, and how they are written in
 * a message. Pure. After k8s:plugin/pkg/auth/authorizer/rbac, pkg/registry/rbac/validation and
 * component-helpers/auth/rbac/validation.
 */

import type { PolicyRule } from "../../../manifests/index.ts";
import { fullResource } from "../request.ts";
import { type Asked, isPath } from "./access.ts";

const all = "*";

export function ruleAllows(rule: PolicyRule, asked: Asked): boolean {
  if (!hasOrAll(rule.verbs, asked.verb)) return false;
  if (isPath(asked)) return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, asked.path));
  const { resources = [], resourceNames = [] } = rule;
  return (
    hasOrAll(rule.apiGroups ?? [], asked.group) &&
    coversResource(resources, fullResource(asked)) &&
    (resourceNames.length === 0 || resourceNames.includes(asked.name))
  );
}

function hasOrAll(values: readonly string[], wanted: string): boolean {
  return values.includes(wanted) || values.includes(all);
}

/** `pods`, `pods/log`; `*` is everything and `*\/scale` that subresource of everything. */
function coversResource(resources: readonly string[], wanted: string): boolean {
  if (hasOrAll(resources, wanted)) return true;
  const slash = wanted.indexOf("/");
  return slash > 0 && resources.includes(all + wanted.slice(slash));
}

/** A `*` at the end stands for anything that follows. */
function urlMatches(url: string, path: string): boolean {
  if (url === all || url === path) return true;
  return url.endsWith(all) && path.startsWith(url.replace(/\*+$/, ""));
}

/** What of `wanted` no rule of `owned` covers, in pieces of one verb, group and resource each. */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]) {
  return wanted.flatMap(pieces).filter((piece) => !owned.some((rule) => covers(rule, piece)));
}

function pieces(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const names = resourceNames.length > 0 ? resourceNames.map((name) => [name]) : [undefined];
  const ofResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) =>
        names.map((name): PolicyRule => {
          const piece = { verbs: [verb], apiGroups: [group], resources: [resource] };
          return name ? { ...piece, resourceNames: name } : piece;
        }),
      ),
    ),
  );
  const ofPaths = nonResourceURLs.flatMap((url) =>
    verbs.map((verb): PolicyRule => ({ verbs: [verb], nonResourceURLs: [url] })),
  );
  return [...ofResources, ...ofPaths];
}

function covers(owner: PolicyRule, piece: PolicyRule): boolean {
  const [verb = ""] = piece.verbs;
  if (!hasOrAll(owner.verbs, verb)) return false;
  const [url] = piece.nonResourceURLs ?? [];
  if (url !== undefined) return (owner.nonResourceURLs ?? []).some((own) => urlMatches(own, url));
  const [group = ""] = piece.apiGroups ?? [];
  const [resource = ""] = piece.resources ?? [];
  const names = owner.resourceNames ?? [];
  const [name] = piece.resourceNames ?? [];
  return (
    hasOrAll(owner.apiGroups ?? [], group) &&
    coversResource(owner.resources ?? [], resource) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

/** One line for each group and resource, with its verbs together, sorted. */
export function describeRules(rules: readonly PolicyRule[]): string[] {
  const compact = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const id = JSON.stringify(rule.nonResourceURLs ? rule : rest);
    const known = compact.get(id);
    compact.set(id, known ? { ...known, verbs: [...known.verbs, ...verbs] } : rule);
  }
  return [...new Set([...compact.values()].map(describeRule))].sort();
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` (k8s: CompactString). */
function describeRule(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ["APIGroups", rule.apiGroups],
    ["Resources", rule.resources],
    ["NonResourceURLs", rule.nonResourceURLs],
    ["ResourceNames", rule.resourceNames],
    ["Verbs", rule.verbs],
  ];
  const said = parts.flatMap(([name, values]) =>
    values && values.length > 0 ? [`${name}:${goList(values)}`] : [],
  );
  return `{${said.join(", ")}}`;
}

/** As Go prints a list of strings by `%q`. */
export function goList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;
}
