import { expect, test } from "vitest";
import { Pod } from "../../../../manifests/index.ts";
import { updateFaultsOf, updates } from "./faults.ts";

const valid = {
  spec: {
    containers: [{ name: "c", image: "i:1" }],
    volumes: [
      { name: "v", emptyDir: {} },
      { name: "claim", persistentVolumeClaim: { claimName: "p" } },
    ],
  },
};
const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";

const gated = { spec: { ...valid.spec, schedulingGates: [{ name: "a" }] } };
const FIXED =
  "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

updates(Pod, valid, [
  [{ "spec.containers[0].image": "i:2" }],
  [{ "spec.hostNetwork": true }, FIXED],
  [{ "spec.nodeSelector": { a: "b" } }, FIXED],
  [
    { "spec.schedulingGates": [{ name: "b" }] },
    "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'",
  ],
  [{ "spec.ephemeralContainers": [{ name: "e", image: "i", targetContainerName: "c" }] }],
  [
    {
      "spec.ephemeralContainers": [
        { name: "c", image: "", targetContainerName: "z", ports: [{ containerPort: 1 }] },
      ],
    },
    'spec.ephemeralContainers[0].name: Duplicate value: "c"',
    "spec.ephemeralContainers[0].image: Required value",
    "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
    'spec.ephemeralContainers[0].targetContainerName: Not found: "z"',
  ],
]);

test("Pod: while a gate holds it back, where it may run can be narrowed and the gate lifted", () => {
  const to = (spec: object) => updateFaultsOf(Pod, gated, { spec: { ...gated.spec, ...spec } });
  const terms = [{ matchExpressions: [{ key: "a", operator: "Exists" }] }];
  expect(to({ schedulingGates: [] })).toEqual([]);
  expect(to({ nodeSelector: { a: "b" } })).toEqual([]);
  expect(to({ affinity: { nodeAffinity: { [REQUIRED]: { nodeSelectorTerms: terms } } } })).toEqual(
    [],
  );
  expect(to({ hostNetwork: true })).toEqual([FIXED]);
});

test("Pod: containers for debugging stay as they were added", () => {
  const one = [{ name: "e", image: "i" }];
  const before = { spec: { ...valid.spec, ephemeralContainers: one } };
  expect(updateFaultsOf(Pod, before, valid)).toEqual([
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed',
  ]);
  const other = { spec: { ...valid.spec, ephemeralContainers: [{ name: "e", image: "j" }] } };
  expect(updateFaultsOf(Pod, before, other)).toEqual([
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be changed',
  ]);
});

test("Pod: a negative time to end in may become one second", () => {
  const with_ = (seconds: number) => ({
    spec: { ...valid.spec, terminationGracePeriodSeconds: seconds },
  });
  expect(updateFaultsOf(Pod, with_(-1), with_(1))).toEqual([]);
  expect(updateFaultsOf(Pod, with_(-1), with_(2))).toEqual([FIXED]);
  expect(updateFaultsOf(Pod, with_(5), with_(1))).toEqual([FIXED]);
});
