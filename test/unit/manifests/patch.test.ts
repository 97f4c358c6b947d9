import fc from "fast-check";
import { expect, test } from "vitest";
import { Deployment, Pod, Service, ServiceAccount } from "../../../manifests/index.ts";
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  createMergePatch,
  createThreeWayPatch,
  lastApplied,
  PatchError,
  withLastApplied,
} from "../../../manifests/patch/index.ts";

const POD = Pod.typeName;

test.each([
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [["a"], { a: 1 }, { a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])("merge patch: %j with %j", (target, patch, expected) => {
  expect(applyMergePatch(target, patch)).toEqual(expected);
});

const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.integer(), fc.string(), fc.boolean(), tie("object")),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 4 }),
}));

test("merge patch: the patch made from two objects turns one into the other", () => {
  fc.assert(
    fc.property(json.object, json.object, (before, after) => {
      expect(applyMergePatch(before, createMergePatch(before, after) ?? {})).toEqual(after);
    }),
  );
});

test("json patch: applies in order, leaves its input alone, and says what failed", () => {
  const target = { a: [1, 2], b: { c: 1 } };
  const patch = [
    { op: "test", path: "/b/c", value: 1 },
    { op: "add", path: "/a/-", value: 3 },
    { op: "remove", path: "/b/c" },
  ];
  expect(applyJsonPatch(target, patch)).toEqual({ a: [1, 2, 3], b: {} });
  expect(target).toEqual({ a: [1, 2], b: { c: 1 } });
  expect(() => applyJsonPatch(target, [{ op: "test", path: "/b/c", value: 2 }])).toThrow(
    "testing value /b/c failed",
  );
  expect(() => applyJsonPatch(target, [{ op: "remove", path: "/x" }])).toThrow(PatchError);
  expect(() => applyJsonPatch(target, { op: "add" })).toThrow(PatchError);
  expect(() => applyJsonPatch(target, [{ op: "add", path: "/__proto__/x", value: 1 }])).toThrow(
    PatchError,
  );
});

const pod = {
  metadata: { finalizers: ["a", "b"], labels: { x: "1" } },
  spec: {
    containers: [
      { name: "one", image: "i:1", command: ["a", "b"], ports: [{ containerPort: 80 }] },
      { name: "two", image: "i:1", env: [{ name: "A", value: "1" }] },
    ],
    volumes: [{ name: "v", emptyDir: {} }],
  },
};

function patched(patch: object): typeof pod {
  return applyStrategicMergePatch(POD, pod, patch) as typeof pod;
}

test("strategic merge: lists with a key merge, others are replaced", () => {
  const containers = [{ name: "two", image: "i:2", env: [{ name: "B", value: "2" }] }];
  const result = patched({ spec: { containers } });
  expect(result.spec.containers).toEqual([
    pod.spec.containers[0],
    {
      name: "two",
      image: "i:2",
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "2" },
      ],
    },
  ]);
  const commands = patched({ spec: { containers: [{ name: "one", command: ["c"] }] } });
  expect(commands.spec.containers[0]).toMatchObject({ image: "i:1", command: ["c"] });
  expect(patched({ spec: { containers: [{ name: "three" }] } }).spec.containers).toHaveLength(3);
});

test("strategic merge: directives delete, replace and retain", () => {
  const remove = { spec: { containers: [{ name: "one", $patch: "delete" }] } };
  expect(patched(remove).spec.containers.map((c) => c.name)).toEqual(["two"]);
  const replace = { spec: { containers: [{ name: "x" }, { $patch: "replace" }] } };
  expect(patched(replace).spec.containers).toEqual([{ name: "x" }]);
  const labels = { metadata: { labels: { y: "2", $patch: "replace" } } };
  expect(patched(labels).metadata.labels).toEqual({ y: "2" });
  const volume = { name: "v", hostPath: { path: "/" }, $retainKeys: ["name", "hostPath"] };
  expect(patched({ spec: { volumes: [volume] } }).spec.volumes).toEqual([
    { name: "v", hostPath: { path: "/" } },
  ]);
});

test("strategic merge: lists of plain values add and remove", () => {
  expect(patched({ metadata: { finalizers: ["c", "a"] } }).metadata.finalizers).toEqual([
    "a",
    "b",
    "c",
  ]);
  const remove = { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } };
  expect(patched(remove).metadata.finalizers).toEqual(["b"]);
});

test("strategic merge: the order that a patch names is kept, around what it does not name", () => {
  const order = [{ name: "three" }, { name: "one" }];
  const containers = [{ name: "three", image: "i:3" }];
  const result = patched({ spec: { containers, "$setElementOrder/containers": order } });
  expect(result.spec.containers.map((c) => c.name)).toEqual(["three", "one", "two"]);
});

test("strategic merge: what is patched must be in the order that is asked for", () => {
  const order = [{ name: "two" }, { name: "one" }];
  const containers = [
    { name: "one", image: "i:3" },
    { name: "two", image: "i:3" },
  ];
  const patch = { spec: { containers, "$setElementOrder/containers": order } };
  expect(() => patched(patch)).toThrow(
    "The order in patch list:\n[map[image:i:3 name:one] map[image:i:3 name:two]]\n" +
      " doesn't match $setElementOrder list:\n[map[name:two] map[name:one]]\n",
  );
  const gone = { name: "one", $patch: "delete" };
  expect(
    patched({ spec: { containers: [gone], "$setElementOrder/containers": [{ name: "two" }] } }).spec
      .containers,
  ).toEqual([pod.spec.containers[1]]);
});

test("json patch: says what kind of operation is none, and bounds what it makes", () => {
  const copies = Array.from({ length: 40 }, (_, at) => ({ op: "copy", from: "", path: `/${at}` }));
  expect(() => applyJsonPatch({ a: "x" }, copies)).toThrow(
    /^Unable to complete the copy, the accumulated size increase of copy is \d+, exceeding the limit 3145728$/,
  );
  const many = Array.from({ length: 10_001 }, () => ({ op: "remove", path: "/a" }));
  expect(() => applyJsonPatch({}, many)).toThrow(
    "The allowed maximum operations in a JSON patch is 10000, got 10001",
  );
  expect(() => applyJsonPatch({}, [{ op: "explode", path: "/a" }])).toThrow(
    'Unexpected kind: "explode"',
  );
  expect(() => applyJsonPatch({}, [null])).toThrow(PatchError);
});

test("json patch: what was added is not the patch itself", () => {
  const patch = [
    { op: "add", path: "/a", value: { b: 1 } },
    { op: "add", path: "/a/c", value: 2 },
  ];
  expect(applyJsonPatch({}, patch)).toEqual({ a: { b: 1, c: 2 } });
  expect(patch[0]).toEqual({ op: "add", path: "/a", value: { b: 1 } });
});

test("strategic merge: null removes, also where there was nothing", () => {
  const patch = { metadata: { labels: { x: null, y: null, z: "1" } }, spec: { volumes: null } };
  expect(patched(patch)).toEqual({
    metadata: { finalizers: ["a", "b"], labels: { z: "1" } },
    spec: { containers: pod.spec.containers },
  });
});

test("strategic merge: refuses what has no meaning", () => {
  expect(() => patched({ spec: { $patch: "explode" } })).toThrow("unknown patch type: explode");
  expect(() => patched({ spec: { containers: [{ image: "x" }] } })).toThrow(
    "does not contain declared merge key: name",
  );
  expect(() => applyStrategicMergePatch(POD, pod, [])).toThrow(PatchError);
  const containers = (...list: object[]) => patched({ spec: { containers: list } });
  expect(() => containers({ name: "one", $patch: "merge" })).toThrow(
    "merging lists cannot yet be specified in the patch",
  );
  expect(() => containers({ name: "one", $patch: "explode" })).toThrow(
    "unknown patch type: explode in map: map[$patch:explode name:one]",
  );
  expect(() => patched({ metadata: { "$deleteFromPrimitiveList/finalizers": "a" } })).toThrow(
    "invalid patch format of primitive list",
  );
  expect(() => patched({ spec: { $retainKeys: "volumes" } })).toThrow(
    "invalid patch format of retainKeys",
  );
  expect(() => patched({ spec: { $retainKeys: ["a"], volumes: [] } })).toThrow(
    "patch content doesn't match retainKeys list",
  );
  expect(() => patched({ spec: { "$setElementOrder/containers": "one" } })).toThrow(
    "invalid patch format of setElementOrder list",
  );
});

interface Manifest {
  [key: string]: unknown;
  metadata: { name: string; annotations?: Record<string, string> };
}

/** What `apply` does to a live object, given the manifest of the last time and that of this time. */
function apply(
  kind: typeof Deployment | typeof Service,
  last: Manifest,
  now: Manifest,
  live: Manifest,
) {
  const patch = createThreeWayPatch(kind, last, now, live);
  return { patch, result: applyStrategicMergePatch(kind.typeName, live, patch ?? {}) as Manifest };
}

const manifest = (spec: object): Manifest => ({ metadata: { name: "x" }, spec });

test("apply: what others set stays, what the manifest drops goes", () => {
  const container = { name: "c", image: "i:1", env: [{ name: "A", value: "1" }] };
  const template = (c: object) => ({ template: { spec: { containers: [c] } } });
  const last = manifest({ replicas: 2, paused: true, ...template(container) });
  const now = manifest({ ...template({ name: "c", image: "i:2" }) });
  const sidecar = { name: "injected", image: "s" };
  const live = manifest({
    replicas: 5,
    paused: true,
    revisionHistoryLimit: 10,
    template: {
      spec: { containers: [{ ...container, imagePullPolicy: "Always" }, sidecar] },
    },
  });
  const { patch, result } = apply(Deployment, last, now, live);
  expect(patch).toMatchObject({ spec: { replicas: null, paused: null } });
  expect(result.spec).toEqual({
    revisionHistoryLimit: 10,
    template: {
      spec: { containers: [{ name: "c", image: "i:2", imagePullPolicy: "Always" }, sidecar] },
    },
  });
});

test("apply: an element that the manifest drops is deleted, and a union changes its member", () => {
  const last = manifest({ ports: [{ port: 80 }, { port: 81 }] });
  const live = manifest({
    ports: [
      { port: 80, protocol: "TCP" },
      { port: 81, protocol: "TCP" },
    ],
  });
  const ports = apply(Service, last, manifest({ ports: [{ port: 80 }] }), live);
  expect(ports.result.spec).toEqual({ ports: [{ port: 80, protocol: "TCP" }] });
  const rolling = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } };
  const recreate = manifest({ strategy: { type: "Recreate" } });
  const strategy = manifest({ strategy: rolling });
  const changed = apply(Deployment, recreate, recreate, strategy);
  expect(changed.result.spec).toEqual({ strategy: { type: "Recreate" } });
});

test("apply: nothing to do gives no patch", () => {
  const live = { ...manifest({ replicas: 2, paused: false }), status: { replicas: 2 } };
  const same = manifest({ replicas: 2 });
  expect(createThreeWayPatch(Deployment, same, same, live)).toBeUndefined();
});

test("apply: the manifest travels in its annotation, without itself", () => {
  const annotated = withLastApplied({ metadata: { name: "x", annotations: { a: "b" } }, spec: {} });
  const expected = { metadata: { annotations: { a: "b" }, name: "x" }, spec: {} };
  expect(lastApplied(annotated)).toEqual(expected);
  expect(lastApplied(withLastApplied(annotated))).toEqual(expected);
  expect(lastApplied({ metadata: { name: "x" } })).toBeUndefined();
});

const name = fc.constantFrom("a", "b", "c", "d");
const containers = fc.uniqueArray(
  fc.record(
    {
      name,
      image: name,
      env: fc.uniqueArray(fc.record({ name, value: name }), { selector: (e) => e.name }),
    },
    { requiredKeys: ["name"] },
  ),
  { selector: (c) => c.name, maxLength: 4 },
);
const template = fc
  .record(
    { containers, nodeSelector: fc.dictionary(name, name), hostname: name },
    { requiredKeys: ["containers"] },
  )
  .map((spec) => manifest({ template: { spec } }));

test("apply: when nobody else touched the object, it becomes the manifest", () => {
  fc.assert(
    fc.property(template, template, (last, now) => {
      const { result } = apply(Deployment, last, now, last);
      // An empty map or list that a deletion leaves behind means the same as none.
      expect(prune(result)).toEqual(prune(now));
    }),
    { numRuns: 300 },
  );
});

test("apply: applying the same manifest again changes nothing", () => {
  fc.assert(
    fc.property(template, template, template, (last, now, live) => {
      const { result } = apply(Deployment, last, now, live);
      const again = apply(Deployment, now, now, result);
      expect(again.result).toEqual(result);
    }),
    { numRuns: 300 },
  );
});

function prune(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 0 ? value.map(prune) : undefined;
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value)
    .map(([key, item]) => [key, prune(item)] as const)
    .filter(([, item]) => item !== undefined);
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

test("apply: secrets of a service account merge by name", () => {
  const current = { secrets: [{ name: "a" }, { name: "b" }] };
  const patch = { secrets: [{ name: "b", $patch: "delete" }, { name: "c" }] };
  expect(applyStrategicMergePatch(ServiceAccount.typeName, current, patch)).toEqual({
    secrets: [{ name: "a" }, { name: "c" }],
  });
});

test("apply: the annotation is the text that kubectl would write", () => {
  const made = withLastApplied({ kind: "A", spec: { b: "x > y && z\u2028", a: 1 }, metadata: {} });
  expect((made.metadata as { annotations?: object }).annotations).toEqual({
    "kubectl.kubernetes.io/last-applied-configuration":
      '{"kind":"A","metadata":{"annotations":{}},"spec":{"a":1,"b":"x \\u003e y \\u0026\\u0026 z\\u2028"}}\n',
  });
});
