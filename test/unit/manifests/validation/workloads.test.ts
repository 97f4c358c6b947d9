import { expect, test } from "vitest";
import {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  Job,
  PodDisruptionBudget,
  ReplicationController,
  StatefulSet,
} from "../../../../manifests/index.ts";
import { cronFault, timeZoneFault } from "../../../../manifests/kinds/cron-schedule.ts";
import { creates, faultsOf, updates } from "./faults.ts";

const container = { name: "c", image: "i:1" };
const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
const owner = { spec: { selector: { matchLabels: { app: "a" } }, template } };
const once = { spec: { template: { spec: { containers: [container], restartPolicy: "Never" } } } };
const cron = { spec: { schedule: "*/5 * * * *", jobTemplate: once } };
const SELECTOR =
  'v1.LabelSelector{MatchLabels:map[string]string{"app":"a", "b":"c"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}';
const wider = {
  "spec.selector.matchLabels.b": "c",
  "spec.template.metadata.labels.b": "c",
};

creates(Deployment, owner, [
  [
    { "spec.minReadySeconds": 600 },
    "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
  ],
  [
    { "spec.template.spec.ephemeralContainers": [{ name: "e", image: "i" }] },
    "spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template",
  ],
  [
    { "spec.strategy": { type: "X" } },
    'spec.strategy.type: Unsupported value: "X": supported values: "Recreate", "RollingUpdate"',
  ],
  [
    { "spec.strategy": { rollingUpdate: { maxUnavailable: "101%", maxSurge: "x" } } },
    "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
  ],
  [
    { "spec.selector": { matchExpressions: [{ key: "app", operator: "In" }] } },
    "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    'spec.template.metadata.labels: Invalid value: map[string]string{"app":"a"}: `selector` does not match template `labels`',
  ],
]);
updates(Deployment, owner, [
  [wider, `spec.selector: Invalid value: ${SELECTOR}: field is immutable`],
  [{ "spec.replicas": 3 }],
]);

creates(DaemonSet, owner, [
  [{ "spec.updateStrategy": { type: "OnDelete" } }],
  [
    { "spec.updateStrategy.rollingUpdate": { maxUnavailable: 0 } },
    "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
  ],
  [
    { "spec.updateStrategy.rollingUpdate": { maxSurge: 1 } },
    "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
  ],
  [
    { "spec.updateStrategy": { type: "X" } },
    'spec.updateStrategy: Unsupported value: {"type":"X"}: supported values: "RollingUpdate", "OnDelete"',
  ],
]);
updates(DaemonSet, owner, [
  [wider, `spec.selector: Invalid value: ${SELECTOR}: field is immutable`],
]);

creates(StatefulSet, owner, [
  [
    { "spec.podManagementPolicy": "X", "spec.ordinals": { start: -1 } },
    "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Parallel'",
    "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    { "spec.updateStrategy": { type: "X" } },
    "spec.updateStrategy: Invalid value: {\"type\":\"X\"}: must be 'RollingUpdate' or 'OnDelete'",
  ],
  [
    { "spec.updateStrategy": { type: "OnDelete", rollingUpdate: { partition: 1 } } },
    "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'",
  ],
  [
    { "spec.updateStrategy": { rollingUpdate: { partition: -1 } } },
    "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    { "spec.persistentVolumeClaimRetentionPolicy": { whenDeleted: "X" } },
    'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "X": supported values: "Delete", "Retain"',
  ],
]);

creates(ReplicationController, { spec: { template } }, [
  [{ "spec.template": undefined, "spec.selector": { a: "b" } }, "spec.template: Required value"],
  [
    { "spec.selector": { a: "b" } },
    'spec.template.metadata.labels: Invalid value: map[string]string{"app":"a"}: `selector` does not match template `labels`',
  ],
]);

creates(ControllerRevision, { revision: 1, data: { a: 1 } }, [
  [{ data: undefined }, "data: Required value: data is mandatory"],
  [{ revision: -1 }, "revision: Invalid value: -1: must be greater than or equal to 0"],
]);
updates(ControllerRevision, { revision: 1, data: { a: 1 } }, [
  [{ "data.a": 2 }, 'data: Invalid value: {"a":2}: field is immutable'],
]);

const onExitCodes = { operator: "In", values: [1] };
const policy = (...rules: object[]) => ({ "spec.podFailurePolicy": { rules } });

creates(Job, once, [
  [
    { "spec.completionMode": "Indexed", "spec.parallelism": 100_001 },
    "spec.completions: Required value: when completion mode is Indexed",
    "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed",
  ],
  [
    { "spec.completionMode": "X" },
    'spec.completionMode: Unsupported value: "X": supported values: "Indexed", "NonIndexed"',
  ],
  [
    { "spec.backoffLimitPerIndex": 1 },
    "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
  ],
  [
    { "spec.maxFailedIndexes": 1 },
    "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
  ],
  [
    { "spec.managedBy": "me" },
    'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
  ],
  [
    { "spec.podReplacementPolicy": "X" },
    'spec.podReplacementPolicy: Unsupported value: "X": supported values: "Failed", "TerminatingOrFailed"',
  ],
  [policy({ action: "FailJob", onExitCodes })],
  [
    {
      ...policy({ action: "FailJob", onExitCodes }),
      "spec.template.spec.restartPolicy": "OnFailure",
    },
    'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
  ],
  [
    policy(
      { action: "X", onExitCodes: { operator: "In", values: [2, 0, 2], containerName: "z" } },
      { action: "FailIndex", onPodConditions: [{ type: "A", status: "X" }] },
      { action: "Count" },
      {
        action: "Count",
        onExitCodes: { operator: "Y", values: [] },
        onPodConditions: [{ type: "A" }],
      },
    ),
    'spec.podFailurePolicy.rules[0].action: Unsupported value: "X": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
    'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "z": must be one of the container or initContainer names in the pod template',
    "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
    "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 2",
    "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,0,2]: must be ordered",
    'spec.podFailurePolicy.rules[1].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
    'spec.podFailurePolicy.rules[1].onPodConditions[0].status: Unsupported value: "X": supported values: "False", "True", "Unknown"',
    "spec.podFailurePolicy.rules[2]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
    'spec.podFailurePolicy.rules[3].onExitCodes.operator: Unsupported value: "Y": supported values: "In", "NotIn"',
    "spec.podFailurePolicy.rules[3].onExitCodes.values: Invalid value: []: at least one value is required",
    "spec.podFailurePolicy.rules[3]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported",
  ],
  [
    { "spec.successPolicy": { rules: [] } },
    'spec.successPolicy: Invalid value: {"rules":[]}: requires indexed completion mode',
  ],
  [
    {
      "spec.completionMode": "Indexed",
      "spec.completions": 5,
      "spec.successPolicy": {
        rules: [
          {},
          { succeededCount: 6 },
          { succeededIndexes: "0,2-3", succeededCount: 4 },
          { succeededIndexes: "9" },
          { succeededIndexes: "0-4" },
        ],
      },
    },
    "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified",
    "spec.successPolicy.rules[1].succeededCount: Invalid value: 6: must be less than or equal to 5 (the number of specified completions)",
    "spec.successPolicy.rules[2].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)",
    'spec.successPolicy.rules[3].succeededIndexes: Invalid value: "9": error parsing succeededIndexes: too large index: "9"',
  ],
  [
    {
      metadata: { name: "x".repeat(63) },
      "spec.completionMode": "Indexed",
      "spec.completions": 1,
    },
    `metadata.name: Invalid value: "${"x".repeat(63)}": will not able to create pod with invalid DNS label: ${"x".repeat(63)}-0`,
  ],
]);
updates(Job, { spec: { ...once.spec, completions: 2, parallelism: 2 } }, [
  [{ "spec.completions": 3 }, "spec.completions: Invalid value: 3: field is immutable"],
  [{ "spec.parallelism": 3 }],
  [
    { "spec.backoffLimitPerIndex": undefined, "spec.managedBy": "a.b/c" },
    'spec.managedBy: Invalid value: "a.b/c": field is immutable',
  ],
]);
updates(
  Job,
  { spec: { ...once.spec, completions: 2, parallelism: 2, completionMode: "Indexed" } },
  [
    [{ "spec.completions": 3, "spec.parallelism": 3 }],
    [
      { "spec.completions": 3 },
      "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism",
    ],
  ],
);
updates(Job, { spec: { ...once.spec, suspend: true } }, [
  [
    {
      "spec.template.spec.nodeSelector": { a: "b" },
      "spec.template.metadata": { labels: { a: "b" } },
    },
  ],
]);

test("Job: the template of one that was started stays", () => {
  const after = structuredClone(once) as { spec: { template: { spec: object } } };
  Object.assign(after.spec.template.spec, { nodeSelector: { a: "b" } });
  expect(faultsOf(Job, after)).toEqual([]);
});

creates(CronJob, cron, [
  [{ "spec.schedule": "@daily", "spec.timeZone": "Europe/Vienna" }],
  [
    { metadata: { name: "x".repeat(53) } },
    `metadata.name: Invalid value: "${"x".repeat(53)}": must be no more than 52 characters`,
  ],
  [
    { "spec.schedule": "60 * * * *" },
    'spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60',
  ],
  [
    { "spec.schedule": "TZ=UTC 0 * * * *" },
    'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
  ],
  [
    { "spec.timeZone": "Mars/Olympus" },
    'spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
  ],
  [
    { "spec.concurrencyPolicy": "X", "spec.failedJobsHistoryLimit": -1 },
    'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"',
    "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    { "spec.jobTemplate.spec.manualSelector": true },
    'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
  ],
  [
    { "spec.jobTemplate.spec.template.spec.restartPolicy": "Always" },
    'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ],
]);

test.each([
  ["0 0 1 JAN mon", undefined],
  ["*/15,30-40/2 1-5 ? * 0-6", undefined],
  ["@every 1h30m", undefined],
  ["@sometimes", "unrecognized descriptor: @sometimes"],
  ["@every day", 'failed to parse duration @every day: time: invalid duration "day"'],
  ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
  ["x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
  ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
  ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
  ["1/2/3 * * * *", "too many slashes: 1/2/3"],
  ["*/0 * * * *", "step of range should be a positive number: */0"],
  ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
  ["* * * * 7", "end of range (7) above maximum (6): 7"],
])("cron: %s", (schedule, fault) => {
  expect(cronFault(schedule)).toBe(fault);
});

test.each([
  ["UTC", undefined],
  ["", "timeZone must be nil or non-empty string"],
  ["Local", "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"],
  ["+01:00", "unknown time zone +01:00"],
])("cron: time zone %j", (zone, fault) => {
  expect(timeZoneFault(zone)).toBe(fault);
});

creates(PodDisruptionBudget, { spec: { minAvailable: 1, selector: {} } }, [
  [
    { "spec.maxUnavailable": 1 },
    'spec: Invalid value: {"minAvailable":1,"selector":{},"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
  ],
  [
    { "spec.minAvailable": "120%" },
    'spec.minAvailable: Invalid value: "120%": must not be greater than 100%',
  ],
  [
    { "spec.unhealthyPodEvictionPolicy": "X" },
    'spec.unhealthyPodEvictionPolicy: Unsupported value: "X": supported values: "AlwaysAllow", "IfHealthyBudget"',
  ],
]);

const scaleTargetRef = { kind: "Deployment", name: "d", apiVersion: "apps/v1" };
const M = "spec.metrics[0]";

creates(HorizontalPodAutoscaler, { spec: { scaleTargetRef, maxReplicas: 3 } }, [
  [
    { "spec.minReplicas": 0, "spec.maxReplicas": 0 },
    "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
    "spec.maxReplicas: Invalid value: 0: must be greater than 0",
  ],
  [
    { "spec.minReplicas": 4 },
    "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
  ],
  [
    { "spec.scaleTargetRef": { kind: "", name: "a/b" } },
    "spec.scaleTargetRef.kind: Required value",
    "spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'",
  ],
  [
    { "spec.metrics": [{ type: "Resource" }] },
    `${M}.resource: Required value: must populate information for the given metric source`,
  ],
  [
    { "spec.metrics": [{ type: "X" }] },
    `${M}.type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"`,
  ],
  [
    { "spec.metrics": [{ type: "Resource", resource: { name: "", target: { type: "X" } } }] },
    `${M}.resource.name: Required value: must specify a resource name`,
    `${M}.resource.target.type: Invalid value: "X": must be either Utilization, Value, or AverageValue`,
    `${M}.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization`,
  ],
  [
    {
      "spec.metrics": [
        {
          type: "Resource",
          resource: {
            name: "cpu",
            target: { type: "Utilization", averageUtilization: 0, averageValue: "-1" },
          },
          pods: { metric: { name: "m" }, target: { type: "AverageValue", averageValue: "1" } },
        },
      ],
    },
    `${M}.resource.target.averageValue: Invalid value: "-1": must be positive`,
    `${M}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0`,
    `${M}.pods: Forbidden: must populate the given metric source only`,
    `${M}.resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization`,
  ],
  [
    {
      "spec.metrics": [{ type: "Pods", pods: { metric: { name: "" }, target: { type: "Value" } } }],
    },
    `${M}.pods.metric.name: Required value: must specify a metric name`,
    `${M}.pods.target.averageValue: Required value: must specify a positive target averageValue`,
  ],
  [
    {
      "spec.metrics": [
        { type: "External", external: { metric: { name: "a" }, target: { type: "Value" } } },
      ],
    },
    `${M}.external.target.averageValue: Required value: must set either a target value for metric or a per-pod target`,
  ],
  [
    {
      "spec.behavior.scaleUp": {
        stabilizationWindowSeconds: 3601,
        selectPolicy: "X",
        policies: [{ type: "Y", value: 0, periodSeconds: 1801 }],
      },
    },
    'spec.behavior.scaleUp.policies[0].type: Unsupported value: "Y": supported values: "Percent", "Pods"',
    "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
    "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
    "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
    'spec.behavior.scaleUp.selectPolicy: Unsupported value: "X": supported values: "Disabled", "Max", "Min"',
  ],
]);
