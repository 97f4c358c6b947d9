/** ValidatingAdmissionPolicies as the documentation shows them, through the pipeline. */

import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ConfigMap,
  Deployment,
  Namespace,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "../../../../manifests/index.ts";
import { startPipeline, type TestPipeline } from "../../../harness/pipeline.ts";

let api: TestPipeline;

beforeEach(async () => {
  api = await startPipeline();
});

afterEach(async () => {
  await api.close();
});

function rule(group: string, ...resources: string[]) {
  return { apiGroups: [group], apiVersions: ["*"], operations: ["CREATE", "UPDATE"], resources };
}

async function policy(spec: object, binding: object = {}): Promise<void> {
  const matchConstraints = { resourceRules: [rule("apps", "deployments")] };
  await api.create(ValidatingAdmissionPolicy, {
    metadata: { name: "rule" },
    spec: { matchConstraints, ...spec },
  });
  await api.create(ValidatingAdmissionPolicyBinding, {
    metadata: { name: "bound" },
    spec: { policyName: "rule", validationActions: ["Deny"], ...binding },
  });
}

function deployment(replicas: number, image = "nginx:1.22") {
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "main", image }] } };
  return {
    metadata: { name: "web", labels },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}

const few = { expression: "object.spec.replicas <= 5" };
const prefix =
  "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'rule' with binding 'bound' denied request: ";

test("policies: a failed expression refuses, in upstream's words", async () => {
  await policy({ validations: [few] });
  const status = await api.refusal(api.create(Deployment, deployment(6)));
  expect(status).toMatchObject({
    code: 422,
    reason: "Invalid",
    message: `${prefix}failed expression: object.spec.replicas <= 5`,
  });
  await api.create(Deployment, deployment(5));
});

test.each([
  [{ ...few, message: "too many" }, "too many", 422],
  [{ ...few, reason: "Forbidden" }, "failed expression: object.spec.replicas <= 5", 403],
  [
    { ...few, messageExpression: "'asked for ' + string(object.spec.replicas)" },
    "asked for 6",
    422,
  ],
  [{ ...few, message: "plain", messageExpression: "object.absent" }, "plain", 422],
  [
    { expression: "object.spec.absent > 1" },
    "expression 'object.spec.absent > 1' resulted in error: no such key: absent",
    422,
  ],
])("policies: %j says %s", async (validation, message, code) => {
  await policy({ validations: [validation] });
  const status = await api.refusal(api.create(Deployment, deployment(6)));
  expect(status).toMatchObject({ code, message: prefix + message });
});

test("policies: an error is forgiven where the failure policy says so", async () => {
  await policy({
    failurePolicy: "Ignore",
    validations: [{ expression: "object.spec.absent > 1" }],
  });
  await api.create(Deployment, deployment(6));
});

test("policies: a warning lets the request through, and all that fails is told", async () => {
  await policy(
    { validations: [few, { expression: "object.spec.replicas != 6", message: "six is odd" }] },
    { validationActions: ["Warn", "Audit"] },
  );
  const { warnings } = await api.create(Deployment, deployment(6));
  const where = "Validation failed for ValidatingAdmissionPolicy 'rule' with binding 'bound': ";
  expect(warnings).toEqual([
    `${where}failed expression: object.spec.replicas <= 5`,
    `${where}six is odd`,
  ]);
});

test("policies: variables stand on each other, and are evaluated when they are named", async () => {
  await policy({
    variables: [
      { name: "images", expression: "object.spec.template.spec.containers.map(c, c.image)" },
      { name: "tagged", expression: "variables.images.all(i, i.contains(':'))" },
      { name: "broken", expression: "object.absent.deeper" },
    ],
    validations: [{ expression: "variables.tagged || variables.broken", message: "no tag" }],
  });
  await api.create(Deployment, deployment(1));
  const untagged = { ...deployment(1, "nginx"), metadata: { name: "other" } };
  const status = await api.refusal(api.create(Deployment, untagged));
  expect(status.message).toContain("resulted in error: no such key: absent");
});

test("policies: conditions, the namespace and who may do what are there to be asked", async () => {
  await api.create(Namespace, { metadata: { name: "prod", labels: { stage: "prod" } } });
  await policy({
    matchConditions: [
      { name: "not-admin", expression: "request.userInfo.username != 'wherry-admin'" },
    ],
    validations: [
      {
        expression:
          "namespaceObject.metadata.labels.stage != 'prod' || " +
          "authorizer.group('').resource('nodes').namespace('').check('escalate').allowed()",
        message: "not in production",
      },
    ],
  });
  const there = { ...deployment(1), metadata: { name: "web", namespace: "prod" } };
  const status = await api.refusal(api.create(Deployment, there, "system:wherry:any"));
  expect(status.message).toContain("not in production");
  await api.create(Deployment, there);
});

test("policies: an update sees what was before", async () => {
  await policy({
    validations: [
      {
        expression: "oldObject == null || object.spec.replicas >= oldObject.spec.replicas",
        message: "only up",
      },
    ],
  });
  const { object } = await api.create(Deployment, deployment(3));
  const down = { ...object, spec: { ...object.spec, replicas: 2 } };
  expect((await api.refusal(api.update(Deployment, down))).message).toContain("only up");
});

test("policies: parameters come from an object, by name or by labels", async () => {
  const limit = (name: string, most: string) => ({
    metadata: { name, labels: { limits: "yes" } },
    data: { most },
  });
  const paramKind = { apiVersion: "v1", kind: "ConfigMap" };
  const validations = [{ expression: "object.spec.replicas <= int(params.data.most)" }];
  await policy(
    { paramKind, validations },
    { paramRef: { name: "limit", parameterNotFoundAction: "Deny" } },
  );
  const missing = await api.refusal(api.create(Deployment, deployment(1)));
  expect(missing.message).toBe(
    `${prefix}failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
  );
  await api.create(ConfigMap, limit("limit", "5"));
  await api.create(Deployment, deployment(5));
  await api.create(ConfigMap, limit("stricter", "2"));
  const { object } = await api.ask("get", ValidatingAdmissionPolicyBinding, {
    metadata: { name: "bound" },
  });
  const selector = { matchLabels: { limits: "yes" } };
  await api.update(ValidatingAdmissionPolicyBinding, {
    ...object,
    spec: { ...object.spec, paramRef: { selector, parameterNotFoundAction: "Allow" } },
  });
  const again = { ...deployment(3), metadata: { name: "again" } };
  expect((await api.refusal(api.create(Deployment, again))).message).toContain("params.data.most");
});

test("policies: a binding narrows where its policy holds, and exclusions widen the gaps", async () => {
  await policy(
    {
      matchConstraints: {
        resourceRules: [rule("*", "*")],
        excludeResourceRules: [rule("", "configmaps")],
      },
      validations: [{ expression: "false", message: "never" }],
    },
    { matchResources: { objectSelector: { matchLabels: { app: "web" } } } },
  );
  await api.create(ConfigMap, { metadata: { name: "a", labels: { app: "web" } } });
  await api.create(Deployment, { ...deployment(1), metadata: { name: "unlabelled" } });
  expect((await api.refusal(api.create(Deployment, deployment(1)))).message).toContain("never");
});
