/**
 * ClusterRole aggregation: a ClusterRole with an aggregationRule has the rules of those it selects.
 *
 * Mailbox  reconcile(key)                  the name of a ClusterRole; repeats coalesce
 * Watches  rbac.authorization.k8s.io/clusterroles (those that aggregate, at every change of any)
 * Owns     nothing that is not in the store
 * Writes   rbac.authorization.k8s.io/clusterroles update+escalate
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `clusterrole-aggregation`). A deposed one's writes are refused by its epoch.
 */

import equal from "fast-deep-equal/es6/index.js";
import {
  ClusterRole,
  fromLabelSelector,
  matchesSelector,
  type PolicyRule,
} from "../../manifests/index.ts";
import { defineController, watch } from "../kit/controller.ts";
import { escalate, update } from "../kit/writes.ts";

export const clusterRoleAggregation = defineController({
  name: "clusterrole-aggregation",
  watches: [
    watch(ClusterRole, {
      // Which roles select it is known only by asking each; there are few.
      keysOf: (_, { lister }) => lister(ClusterRole).list().filter(aggregates).map(nameOf),
    }),
  ],
  writes: [update(ClusterRole), escalate(ClusterRole)],
  async reconcile(key, { api, lister }) {
    const role = lister(ClusterRole).get(key);
    if (!role || !aggregates(role) || role.metadata.deletionTimestamp) return;
    const rules = computeAggregatedRules(role, lister(ClusterRole).list());
    if (equal(rules, role.rules ?? [])) return;
    await api.update(ClusterRole, { ...role, rules });
  },
});

function aggregates({ aggregationRule }: ClusterRole): boolean {
  return aggregationRule !== undefined;
}

function nameOf({ metadata }: ClusterRole): string {
  return metadata.name ?? "";
}

/** Of every other role that one of the selectors means, by name, each rule once. */
export function computeAggregatedRules(
  role: ClusterRole,
  all: readonly ClusterRole[],
): PolicyRule[] {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map(fromLabelSelector);
  const rules: PolicyRule[] = [];
  for (const selector of selectors) {
    const selected = all
      .filter(({ metadata }) => matchesSelector(selector, metadata.labels ?? {}))
      .filter((other) => nameOf(other) !== nameOf(role))
      .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    for (const rule of selected.flatMap((other) => other.rules ?? [])) {
      if (!rules.some((known) => equal(known, rule))) rules.push(rule);
    }
  }
  return rules;
}
