import { describe, expect, test } from "vitest";
import { defaultPolicy, type Grantor } from "../../../../../actors/apiserver/authz/defaults.ts";
import { computeStep } from "../../../../../actors/apiserver/authz/reconcile.ts";
import { setDefaults, validateCreate } from "../../../../../manifests/index.ts";

const objects = defaultPolicy();
const named = (resource: string, name: string): Grantor => {
  const found = objects.find(
    ({ kind, object }) => kind.resource === resource && object.metadata.name === name,
  );
  if (!found) throw new Error(`there is no ${resource} ${name}`);
  return structuredClone(found.object);
};

describe("default roles", () => {
  test("default roles: every one is valid, labelled and there once", () => {
    const ids = objects.map(
      ({ kind, object }) => `${kind.resource} ${object.metadata.namespace} ${object.metadata.name}`,
    );
    expect(new Set(ids).size).toBe(ids.length);
    for (const { kind, object } of objects) {
      expect(validateCreate(kind, setDefaults(kind, object))).toEqual([]);
      expect(object.metadata.labels).toMatchObject({
        "kubernetes.io/bootstrapping": "rbac-defaults",
      });
      expect(object.metadata.annotations).toEqual({
        "rbac.authorization.kubernetes.io/autoupdate": "true",
      });
    }
  });

  test("default roles: every binding has its role", () => {
    for (const { object } of objects) {
      const { roleRef, metadata } = object;
      if (!roleRef) continue;
      const role = named(roleRef.kind === "Role" ? "roles" : "clusterroles", roleRef.name);
      if (roleRef.kind === "Role") expect(role.metadata.namespace).toBeDefined();
      else expect(role.metadata.namespace ?? metadata.namespace).toBe(metadata.namespace);
    }
  });
});

describe("reconciliation", () => {
  const view = () => named("clusterroles", "system:aggregate-to-view");

  test("reconciliation: what is absent is made, what is whole left alone", () => {
    expect(computeStep(view(), undefined)).toEqual({ type: "create", object: view() });
    const stored = { ...view(), metadata: { ...view().metadata, uid: "u", resourceVersion: "7" } };
    expect(computeStep(view(), stored)).toBeUndefined();
  });

  test("reconciliation: missing rules come back, added ones stay", () => {
    const [first, ...rest] = view().rules ?? [];
    const added = { verbs: ["get"], apiGroups: ["x.io"], resources: ["things"] };
    const step = computeStep(view(), { ...view(), rules: [...rest, added] });
    expect(step).toEqual({ type: "update", object: { ...view(), rules: [...rest, added, first] } });
  });

  test("reconciliation: missing labels and subjects come back", () => {
    const wanted = named("clusterrolebindings", "system:public-info-viewer");
    const own = { kind: "User", name: "al" };
    const { labels: _labels, ...metadata } = wanted.metadata;
    const step = computeStep(wanted, { ...wanted, metadata, subjects: [own] });
    expect(step?.object.metadata.labels).toEqual(wanted.metadata.labels);
    expect(step?.object.subjects).toEqual([own, ...(wanted.subjects ?? [])]);
  });

  test("reconciliation: a binding to another role is made anew", () => {
    const wanted = named("clusterrolebindings", "system:discovery");
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "other" };
    expect(computeStep(wanted, { ...wanted, roleRef })).toEqual({
      type: "recreate",
      object: wanted,
    });
  });

  test("reconciliation: a missing selector comes back, rules of an aggregate are not looked at", () => {
    const wanted = named("clusterroles", "admin");
    expect(computeStep(wanted, { ...wanted, rules: [] })).toBeUndefined();
    const empty = { ...wanted, aggregationRule: { clusterRoleSelectors: [] } };
    expect(computeStep(wanted, empty)?.object.aggregationRule).toEqual(wanted.aggregationRule);
  });

  test("reconciliation: autoupdate=false keeps an object as it is", () => {
    const annotations = { "rbac.authorization.kubernetes.io/autoupdate": "false" };
    const kept = { ...view(), metadata: { ...view().metadata, annotations }, rules: [] };
    expect(computeStep(view(), kept)).toBeUndefined();
  });
});
