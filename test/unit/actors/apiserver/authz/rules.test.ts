import { describe, expect, test } from "vitest";
import type { Asked } from "../../../../../actors/apiserver/authz/access.ts";
import {
  describeRules,
  ruleAllows,
  uncovered,
} from "../../../../../actors/apiserver/authz/rules.ts";
import type { PolicyRule } from "../../../../../manifests/index.ts";

const user = { name: "eve", groups: [] };

/** `get apps/deployments/scale web`, or `get /metrics`. */
function asked(text: string): Asked {
  const [verb = "", what = "", name = ""] = text.split(" ");
  if (what.startsWith("/")) return { user, verb, path: what };
  const [group = "", resource = "", subresource = ""] = what.split("/");
  const inGroup = group === "core" ? "" : group;
  return { user, verb, group: inGroup, resource, subresource, namespace: "d", name };
}

/** `get,list core pods [names]`, or `get /metrics`. */
function rule(text: string): PolicyRule {
  const [verbs = "", groups = "", resources, names] = text.split(" ");
  const list = (words: string) => words.split(",").map((word) => (word === "core" ? "" : word));
  if (resources === undefined) return { verbs: list(verbs), nonResourceURLs: list(groups) };
  const granted = { verbs: list(verbs), apiGroups: list(groups), resources: list(resources) };
  return names ? { ...granted, resourceNames: list(names) } : granted;
}

const matching: [string, string, boolean][] = [
  ["get,list core pods", "list core/pods", true],
  ["get,list core pods", "watch core/pods", false],
  ["get core pods", "get apps/pods", false],
  ["* * *", "deletecollection x.io/things/part", true],
  ["* * *", "get /metrics", false],
  ["get core pods", "get core/pods/log", false],
  ["get core pods/log", "get core/pods/log", true],
  ["get core pods/log", "get core/pods", false],
  ["get core *", "get core/pods/log", true],
  ["get * */scale", "get apps/deployments/scale", true],
  ["get * */scale", "get apps/deployments", false],
  ["get * */scale", "get apps/deployments/status", false],
  ["get core secrets a,b", "get core/secrets b", true],
  ["get core secrets a,b", "get core/secrets c", false],
  ["list core secrets a", "list core/secrets", false],
  ["impersonate core users bob", "impersonate core/users bob", true],
  ["sign certificates.k8s.io signers x/y", "sign certificates.k8s.io/signers x/y", true],
  ["get /metrics", "get /metrics", true],
  ["get /metrics", "get /metrics/slis", false],
  ["get /healthz/*", "get /healthz/ping", true],
  ["get /healthz/*", "get /healthz", false],
  ["get /apis*", "get /apis/apps/v1", true],
  ["* *", "post /anything", true],
  ["get /metrics", "get core/metrics", false],
];

/** Held, wanted, and what of it is missing. */
const covering: [string[], string, string[]][] = [
  [["get,list core pods"], "get core pods", []],
  [
    ["get core pods"],
    "get,list core pods,secrets",
    [
      '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    ],
  ],
  [["get core pods", "list core pods"], "get,list core pods", []],
  [["* * *"], "get,escalate apps,core *", []],
  [["get core *"], "get core pods/log", []],
  [["get core */scale"], "get core pods/scale", []],
  [["get core pods"], "get core *", ['{APIGroups:[""], Resources:["*"], Verbs:["get"]}']],
  [["get core secrets a"], "get core secrets a", []],
  [
    ["get core secrets a"],
    "get core secrets",
    ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'],
  ],
  [
    ["get core secrets a"],
    "get core secrets a,b",
    ['{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}'],
  ],
  [["get core secrets"], "get core secrets a,b", []],
  [["get core *"], "* core pods", ['{APIGroups:[""], Resources:["pods"], Verbs:["*"]}']],
  [
    ["get /healthz/*"],
    "get /healthz/ping,/metrics",
    ['{NonResourceURLs:["/metrics"], Verbs:["get"]}'],
  ],
  [["* *"], "get,post /a,/b*", []],
];

describe("rbac rules", () => {
  test.each(matching)("rbac rules: %s for %s is %s", (given, wanted, allowed) => {
    expect(ruleAllows(rule(given), asked(wanted))).toBe(allowed);
  });

  test.each(covering)("rbac rules: %j leave of %s: %j", (held, wanted, missing) => {
    expect(describeRules(uncovered(held.map(rule), [rule(wanted)]))).toEqual(missing);
  });
});
