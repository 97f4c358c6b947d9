import { describe, expect, test } from "vitest";
import {
  type Audited,
  type AuditRule,
  decideAudit,
  readAuditPolicy,
} from "../../../../../actors/apiserver/audit/policy.ts";

const place = { group: "", version: "v1", subresource: "", namespace: "d", name: "a" };
const user = { name: "jane", groups: ["dev"] };
const pods: Audited = { user, verb: "get", path: "/", object: { ...place, resource: "pods" } };
const logs: Audited = {
  ...pods,
  object: { ...place, resource: "pods", subresource: "log" },
};
const metrics: Audited = { user, verb: "get", path: "/metrics", object: undefined };

const cases: [string, Partial<AuditRule>, Audited, boolean][] = [
  ["no condition takes everything", {}, metrics, true],
  ["a user", { users: ["jane"] }, pods, true],
  ["another user", { users: ["joe"] }, pods, false],
  ["a group", { userGroups: ["ops", "dev"] }, pods, true],
  ["another verb", { verbs: ["delete"] }, pods, false],
  ["a namespace", { namespaces: ["d"] }, pods, true],
  ["no namespace is not a path", { namespaces: [""] }, metrics, false],
  ["a group of resources", { resources: [{ group: "" }] }, logs, true],
  ["another group", { resources: [{ group: "apps" }] }, pods, false],
  ["a resource without its parts", { resources: [{ resources: ["pods"] }] }, logs, false],
  ["a part of it", { resources: [{ resources: ["pods/log"] }] }, logs, true],
  ["all parts of it", { resources: [{ resources: ["pods/*"] }] }, logs, true],
  ["that part of anything", { resources: [{ resources: ["*/log"] }] }, logs, true],
  ["anything", { resources: [{ resources: ["*"] }] }, pods, true],
  ["a name", { resources: [{ resources: ["pods"], resourceNames: ["a"] }] }, pods, true],
  ["another name", { resources: [{ resources: ["pods"], resourceNames: ["b"] }] }, pods, false],
  ["a path", { nonResourceURLs: ["/metrics"] }, metrics, true],
  ["paths below", { nonResourceURLs: ["/met*"] }, metrics, true],
  ["a path is no resource", { nonResourceURLs: ["*"] }, pods, false],
];

describe("audit policy", () => {
  test.each(cases)("audit policy: %s", (_, rule, audited, taken) => {
    const policy = { rules: [{ level: "Request" as const, ...rule }] };
    expect(decideAudit(policy, audited).level).toBe(taken ? "Request" : "None");
  });

  test("audit policy: the first rule that matches decides, with the stages of both left out", () => {
    const policy = readAuditPolicy({
      apiVersion: "audit.k8s.io/v1",
      kind: "Policy",
      omitStages: ["RequestReceived"],
      omitManagedFields: true,
      rules: [
        { level: "Metadata", verbs: ["get"], omitStages: ["Panic"], omitManagedFields: false },
        { level: "RequestResponse" },
      ],
    });
    expect(decideAudit(policy, pods)).toEqual({
      level: "Metadata",
      omitStages: ["RequestReceived", "Panic"],
      omitManagedFields: false,
    });
    expect(decideAudit(policy, { ...pods, verb: "list" })).toMatchObject({
      level: "RequestResponse",
      omitManagedFields: true,
    });
  });

  const whole = { apiVersion: "audit.k8s.io/v1", kind: "Policy" };
  test.each([
    [{}, "must begin with apiVersion: audit.k8s.io/v1"],
    [whole, "at least one rule"],
    [{ ...whole, rules: [{ level: "All" }] }, "rules[0].level must be one of None, Metadata"],
    [{ ...whole, rules: [{ level: "None", omitStages: ["Done"] }] }, "Done is none of"],
    [
      { ...whole, rules: [{ level: "None", namespaces: ["d"], nonResourceURLs: ["*"] }] },
      "both resources and nonResourceURLs",
    ],
    [{ ...whole, rules: [{ level: "None", nonResourceURLs: ["a*b"] }] }, "must begin with /"],
  ])("audit policy: %j is refused", (policy, why) => {
    expect(() => readAuditPolicy(policy)).toThrow(why);
  });
});
