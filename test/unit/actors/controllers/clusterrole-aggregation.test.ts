import { afterEach, beforeEach, expect, test } from "vitest";
import {
  clusterRoleAggregation,
  computeAggregatedRules,
} from "../../../../actors/controllers/clusterrole-aggregation.ts";
import { ClusterRole, type PolicyRule } from "../../../../manifests/index.ts";
import { type Scene, startScene } from "../../../harness/controller.ts";

const rule = (resource: string): PolicyRule => ({
  verbs: ["get"],
  apiGroups: [""],
  resources: [resource],
});

function role(name: string, labels: Record<string, string>, ...resources: string[]): ClusterRole {
  return { metadata: { name, labels }, rules: resources.map(rule) };
}

const all: ClusterRole = {
  metadata: { name: "all", labels: { a: "true" } },
  aggregationRule: {
    clusterRoleSelectors: [{ matchLabels: { a: "true" } }, { matchLabels: { b: "true" } }],
  },
};

test("clusterrole-aggregation: by selector, then by name, each rule once, never its own", () => {
  const roles = [
    role("z", { a: "true" }, "pods"),
    role("m", { a: "true" }, "secrets", "pods"),
    role("k", { b: "true" }, "pods", "nodes"),
    role("c", { c: "true" }, "services"),
    { ...all, rules: [rule("own")] },
  ];
  expect(computeAggregatedRules(all, roles)).toEqual(["secrets", "pods", "nodes"].map(rule));
});

let scene: Scene;
beforeEach(async () => {
  scene = await startScene({ writes: clusterRoleAggregation.writes });
  scene.run(clusterRoleAggregation);
});
afterEach(() => scene.dispose());

async function rulesOf(name: string): Promise<string[]> {
  const { rules = [] } = await scene.api.get(ClusterRole, name);
  return rules.flatMap(({ resources = [] }) => resources);
}

test("clusterrole-aggregation: follows roles that come, change their label and go", async () => {
  await scene.settle(scene.api.create(ClusterRole, all));
  const added = await scene.settle(
    scene.api.create(ClusterRole, role("r", { a: "true" }, "things")),
  );
  await scene.until("the rule to be taken", async () => (await rulesOf("all")).includes("things"));
  await scene.settle(
    scene.api.update(ClusterRole, { ...added, metadata: { ...added.metadata, labels: {} } }),
  );
  await scene.until("the rule to be dropped", async () => (await rulesOf("all")).length === 0);
});

test("clusterrole-aggregation: admin holds what edit holds, and edit what view holds", async () => {
  const holds = async (name: string, resource: string) => (await rulesOf(name)).includes(resource);
  await scene.until("view to be filled", () => holds("view", "pods/log"));
  await scene.until(
    "edit to be filled",
    async () => (await holds("edit", "pods/log")) && (await holds("edit", "secrets")),
  );
  await scene.until(
    "admin to be filled",
    async () => (await holds("admin", "pods/log")) && (await holds("admin", "rolebindings")),
  );
  expect(await scene.settle(holds("view", "secrets"))).toBe(false);
});
