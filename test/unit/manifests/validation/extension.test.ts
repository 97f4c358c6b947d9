import {
  APIService,
  FlowSchema,
  PriorityLevelConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "../../../../manifests/index.ts";
import { creates } from "./faults.ts";

const rule = { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] };
const webhook = {
  name: "a.example.com",
  clientConfig: { url: "https://host/path" },
  rules: [rule],
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
};
const W = "webhooks[0]";
const FORM = "desired format: https://host[:port]/path";

creates(ValidatingWebhookConfiguration, { webhooks: [webhook] }, [
  [
    { [`${W}.name`]: "example.com" },
    `${W}.name: Invalid value: "example.com": should be a domain with at least three segments separated by dots`,
  ],
  [{ "webhooks[1]": webhook }, 'webhooks[1].name: Duplicate value: "a.example.com"'],
  [
    { [`${W}.sideEffects`]: undefined },
    `${W}.sideEffects: Required value: must specify one of None, NoneOnDryRun`,
  ],
  [
    { [`${W}.sideEffects`]: "Some" },
    `${W}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"`,
  ],
  [
    { [`${W}.admissionReviewVersions`]: [] },
    `${W}.admissionReviewVersions: Required value: must specify one of v1, v1beta1`,
  ],
  [
    { [`${W}.admissionReviewVersions`]: ["v2"] },
    `${W}.admissionReviewVersions: Invalid value: []string{"v2"}: must include at least one of v1, v1beta1`,
  ],
  [
    { [`${W}.timeoutSeconds`]: 31 },
    `${W}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds`,
  ],
  [
    { [`${W}.clientConfig`]: {} },
    `${W}.clientConfig: Required value: exactly one of url or service is required`,
  ],
  [
    { [`${W}.clientConfig.url`]: "http://a:b@host/?q#f" },
    `${W}.clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; ${FORM}`,
    `${W}.clientConfig.url: Invalid value: "a": user information is not permitted in the URL; ${FORM}`,
    `${W}.clientConfig.url: Invalid value: "f": fragments are not permitted in the URL`,
    `${W}.clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL`,
  ],
  [
    { [`${W}.clientConfig`]: { service: { name: "", namespace: "", port: 70_000, path: "x" } } },
    `${W}.clientConfig.service.namespace: Required value: service namespace is required`,
    `${W}.clientConfig.service.name: Required value: service name is required`,
    `${W}.clientConfig.service.path: Invalid value: "x": must start with a '/'`,
    `${W}.clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive`,
  ],
  [
    {
      [`${W}.rules`]: [
        { operations: ["*", "CREATE"], apiGroups: [], apiVersions: [""], resources: ["*", "pods"] },
      ],
    },
    `${W}.rules[0].operations: Invalid value: []string{"*", "CREATE"}: if '*' is present, must not specify other operations`,
    `${W}.rules[0].apiGroups: Required value`,
    `${W}.rules[0].apiVersions[0]: Required value`,
    `${W}.rules[0].resources: Invalid value: []string{"*", "pods"}: if '*' is present, must not specify other resources without subresources`,
  ],
  [
    { [`${W}.rules[0].resources`]: ["*/*", "pods/status", "pods/*"] },
    `${W}.rules[0].resources[1]: Invalid value: "pods/status": if 'pods/*' is present, must not specify pods/status`,
    `${W}.rules[0].resources[2]: Invalid value: "pods/*": if '*/*' is present, must not specify pods/*`,
    `${W}.rules[0].resources: Invalid value: []string{"*/*", "pods/status", "pods/*"}: if '*/*' is present, must not specify other resources`,
  ],
  [
    { [`${W}.rules[0].scope`]: "X" },
    `${W}.rules[0].scope: Unsupported value: "X": supported values: "*", "Cluster", "Namespaced"`,
  ],
  [
    { [`${W}.matchConditions`]: [{ name: "", expression: "" }] },
    `${W}.matchConditions[0].name: Required value`,
    `${W}.matchConditions[0].expression: Required value`,
  ],
]);

const validation = { expression: "true" };
creates(
  ValidatingAdmissionPolicy,
  { spec: { matchConstraints: { resourceRules: [rule] }, validations: [validation] } },
  [
    [{ "spec.matchConstraints": undefined }, "spec.matchConstraints: Required value"],
    [
      { "spec.matchConstraints": { matchPolicy: "Exact" } },
      "spec.matchConstraints.resourceRules: Required value",
    ],
    [
      { "spec.validations": [] },
      "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
      "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
    ],
    [
      { "spec.validations": [{ expression: "", message: "a\nb", reason: "X" }] },
      "spec.validations[0].expression: Required value: expression is not specified",
      'spec.validations[0].reason: Unsupported value: "X": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"',
      'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
    ],
    [
      { "spec.variables": [{ name: "1x", expression: "" }] },
      'spec.variables[0].name: Invalid value: "1x": name is not a valid CEL identifier',
      "spec.variables[0].expression: Required value: expression is not specified",
    ],
    [
      { "spec.paramKind": {} },
      "spec.paramKind.apiVersion: Required value",
      "spec.paramKind.kind: Required value",
    ],
    [
      { "spec.failurePolicy": "X" },
      'spec.failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
    ],
  ],
);

creates(
  ValidatingAdmissionPolicyBinding,
  { spec: { policyName: "p", validationActions: ["Deny"] } },
  [
    [
      { "spec.policyName": "", "spec.validationActions": [] },
      "spec.policyName: Required value",
      "spec.validationActions: Required value",
    ],
    [
      { "spec.validationActions": ["Deny", "Warn", "Deny"] },
      'spec.validationActions[2]: Duplicate value: "Deny"',
      'spec.validationActions: Invalid value: []string{"Deny", "Warn", "Deny"}: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    ],
    [
      { "spec.paramRef": { name: "a", selector: {}, parameterNotFoundAction: "X" } },
      "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
      'spec.paramRef.parameterNotFoundAction: Unsupported value: "X": supported values: "Allow", "Deny"',
    ],
    [
      { "spec.paramRef": { namespace: "a" } },
      "spec.paramRef: Required value: one of name or selector must be specified",
      "spec.paramRef.parameterNotFoundAction: Required value",
    ],
  ],
);

const api = {
  metadata: { name: "v1.a.b" },
  spec: {
    group: "a.b",
    version: "v1",
    groupPriorityMinimum: 10,
    versionPriority: 10,
    service: { name: "s", namespace: "n" },
  },
};
creates(APIService, api, [
  [
    { metadata: { name: "x" } },
    'metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.a.b"',
  ],
  [
    { "spec.groupPriorityMinimum": 0, "spec.versionPriority": 1001 },
    "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
    "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000",
  ],
  [
    { "spec.service": { port: 0 } },
    "spec.service.namespace: Required value",
    "spec.service.name: Required value",
    "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
  ],
  [
    { "spec.insecureSkipTLSVerify": true, "spec.caBundle": "eA==" },
    "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
  ],
  [
    { "spec.service": undefined, "spec.insecureSkipTLSVerify": true },
    "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
  ],
]);

const resourceRule = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true };
const schema = {
  spec: {
    priorityLevelConfiguration: { name: "p" },
    rules: [{ subjects: [{ kind: "User", user: { name: "u" } }], resourceRules: [resourceRule] }],
  },
};
const R = "spec.rules[0]";
creates(FlowSchema, schema, [
  [
    { "spec.matchingPrecedence": 10_001, "spec.priorityLevelConfiguration.name": "" },
    "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
    "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
  ],
  [
    { "spec.distinguisherMethod": { type: "X" } },
    'spec.distinguisherMethod.type: Unsupported value: "X": supported values: "ByNamespace", "ByUser"',
  ],
  [
    { [`${R}.subjects`]: [], [`${R}.resourceRules`]: [] },
    `${R}.subjects: Required value: subjects must contain at least one value`,
    `${R}: Required value: at least one of resourceRules and nonResourceRules has to be non-empty`,
  ],
  [
    { [`${R}.subjects`]: [{ kind: "User", group: { name: "g" } }, { kind: "X" }] },
    `${R}.subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'`,
    `${R}.subjects[0].user: Required value: user is required when subject kind is 'User'`,
    `${R}.subjects[1].kind: Unsupported value: "X": supported values: "Group", "ServiceAccount", "User"`,
  ],
  [
    {
      [`${R}.resourceRules`]: [{ verbs: [], apiGroups: ["*", "a"], resources: [] }],
      [`${R}.nonResourceRules`]: [{ verbs: ["*", "get"], nonResourceURLs: [] }],
    },
    `${R}.resourceRules[0].verbs: Required value: verbs must contain at least one value`,
    `${R}.resourceRules[0].apiGroups: Invalid value: []string{"*", "a"}: if '*' is present, must not specify other api groups`,
    `${R}.resourceRules[0].resources: Required value: resource rules must supply at least one resource`,
    `${R}.resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace`,
    `${R}.nonResourceRules[0].verbs: Invalid value: []string{"*", "get"}: if '*' is present, must not specify other verbs`,
    `${R}.nonResourceRules[0].nonResourceURLs: Required value: nonResourceURLs must contain at least one value`,
  ],
]);

const level = { spec: { type: "Limited", limited: { limitResponse: { type: "Reject" } } } };
creates(PriorityLevelConfiguration, level, [
  [
    { "spec.type": "X" },
    'spec.type: Unsupported value: "X": supported values: "Exempt", "Limited"',
  ],
  [
    { "spec.limited": undefined },
    "spec.limited: Required value: must not be empty when type is Limited",
  ],
  [
    { "spec.type": "Exempt" },
    "spec.type: Invalid value: \"Exempt\": type must be 'Limited' if name is not 'exempt'",
    "spec.limited: Forbidden: must be nil if the type is not Limited",
  ],
  [
    {
      "spec.limited": {
        nominalConcurrencyShares: -1,
        lendablePercent: 101,
        borrowingLimitPercent: -1,
        limitResponse: { type: "Queue" },
      },
    },
    "spec.limited.limitResponse.queuing: Required value: must not be empty if limitResponse.type is Limited",
    "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
    "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
    "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer",
  ],
  [
    {
      "spec.limited.limitResponse": {
        type: "Queue",
        queuing: { queues: 4, handSize: 8, queueLengthLimit: -1 },
      },
    },
    "spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive",
    "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (4)",
  ],
  [
    { "spec.limited.limitResponse.queuing": { queues: 8 } },
    "spec.limited.limitResponse.queuing: Forbidden: must be nil if limitResponse.type is not Limited",
  ],
]);
