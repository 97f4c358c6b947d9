/** Ownership as pure functions: sets, comparison, merge, and who owns what after a write. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Applied,
  apply,
  compare,
  difference,
  type Entries,
  type FieldSet,
  givenEntries,
  intersection,
  isEmptySet,
  isSame,
  type Manager,
  type OwnershipContext,
  ownedFields,
  ownersAfterUpdate,
  parseFieldSet,
  pathsOf,
  removeFields,
  tableType,
  typedMerge,
  union,
  withoutBelow,
} from "../../../manifests/apply/index.ts";
import { DEDUCED } from "../../../manifests/apply/type-ref.ts";

const POD = tableType("core.v1.Pod");
const SERVICE = tableType("core.v1.Service");
const DEPLOYMENT = tableType("apps.v1.Deployment");

describe("field sets", () => {
  const element = fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', 'v:"y"');
  /** Nodes as they are written: a member with others below it says so with a dot. */
  const set: fc.Arbitrary<FieldSet> = fc.letrec<{ node: FieldSet; set: FieldSet }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.constant({}),
      tie("set"),
      tie("set").map((children) => (isEmptySet(children) ? {} : { ".": {}, ...children })),
    ),
    set: fc.dictionary(element, tie("node"), { maxKeys: 3 }),
  })).set;
  const paths = (of: FieldSet) => new Set(pathsOf(of));

  test("field sets: union, difference and intersection are those of their paths", () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        expect(paths(union(a, b))).toEqual(new Set([...paths(a), ...paths(b)]));
        expect(paths(difference(a, b))).toEqual(
          new Set([...paths(a)].filter((path) => !paths(b).has(path))),
        );
        expect(paths(intersection(a, b))).toEqual(
          new Set([...paths(a)].filter((path) => paths(b).has(path))),
        );
        const cut = (path: string) => [...paths(b)].some((other) => path.startsWith(other));
        expect(paths(withoutBelow(a, b))).toEqual(
          new Set([...paths(a)].filter((path) => !cut(path))),
        );
        expect(parseFieldSet(a)).toEqual(a);
      }),
    );
  });

  test("field sets: a difference that takes nothing is the set itself", () => {
    const a = { "f:spec": { "f:replicas": {} } };
    expect(difference(a, { "f:spec": { "f:paused": {} } })).toBe(a);
  });

  test("field sets: paths read as upstream writes them", () => {
    const of = {
      "f:metadata": { "f:finalizers": { 'v:"a"': {} }, "f:labels": { ".": {}, "f:a.b/c": {} } },
      "f:spec": { "f:ports": { 'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:name": {} } } },
      "f:items": { "i:3": {} },
    };
    expect(pathsOf(of)).toEqual([
      ".items[3]",
      ".metadata.labels",
      '.metadata.finalizers[="a"]',
      ".metadata.labels.a.b/c",
      '.spec.ports[port=80,protocol="TCP"]',
      '.spec.ports[port=80,protocol="TCP"].name',
    ]);
  });

  test.each([
    [["f:a"]],
    [{ "f:a": 1 }],
    [{ a: {} }],
    [{ "k:[]": {} }],
    [{ "k:{": {} }],
    [{ "i:x": {} }],
    [JSON.parse('{"__proto__":{}}')],
    [JSON.parse(`${'{"f:a":'.repeat(2_000)}{}${"}".repeat(2_000)}`)],
  ])("field sets: %# is none", (value) => {
    expect(parseFieldSet(value)).toBeUndefined();
  });

  test("field sets: keys are put into our spelling", () => {
    expect(parseFieldSet({ 'k:{"protocol": "TCP", "port": 80}': {} })).toEqual({
      'k:{"port":80,"protocol":"TCP"}': {},
    });
  });
});

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "a", labels: { x: "1" }, finalizers: ["b", "a"] },
  spec: { selector: { app: "a" }, ports: [{ port: 80 }, { port: 80, protocol: "UDP", name: "u" }] },
};

test("owned fields: leaves, items by key and value, atomic maps as a whole, absent keys by default", () => {
  expect(ownedFields(SERVICE, service)).toEqual({
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
      "f:name": {},
      "f:labels": { "f:x": {} },
      "f:finalizers": { 'v:"b"': {}, 'v:"a"': {} },
    },
    "f:spec": {
      "f:selector": {},
      "f:ports": {
        'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:port": {} },
        'k:{"port":80,"protocol":"UDP"}': {
          ".": {},
          "f:port": {},
          "f:protocol": {},
          "f:name": {},
        },
      },
    },
  });
});

test("owned fields: an empty struct and a null are owned themselves, an empty list is not", () => {
  const pod = { spec: { securityContext: {}, nodeName: null, volumes: [], affinity: {} } };
  expect(ownedFields(POD, pod)).toEqual({
    "f:spec": { "f:securityContext": {}, "f:nodeName": {}, "f:affinity": {} },
  });
});

test.each([
  [{ spec: { foo: 1 } }, ".spec.foo: field not declared in schema"],
  [
    { spec: { containers: [{ name: "a" }, { name: "a" }] } },
    '.spec.containers: duplicate entries for key [name="a"]',
  ],
  [
    { spec: { containers: [{ image: "a" }] } },
    '.spec.containers: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
  ],
  [
    { metadata: { finalizers: ["a", "a"] } },
    '.metadata.finalizers: duplicate entries for key [="a"]',
  ],
  [
    { metadata: { finalizers: [null] } },
    ".metadata.finalizers: associative list without keys has an element that's a null",
  ],
])("owned fields: %j is refused", (config, message) => {
  expect(() => ownedFields(POD, config)).toThrow(message);
});

test("owned fields: of what nobody described, maps are taken apart and lists are not", () => {
  expect(ownedFields(DEDUCED, { a: { b: 1 }, c: [{ d: 1 }] })).toEqual({
    "f:a": { ".": {}, "f:b": {} },
    "f:c": {},
  });
});

test.each([
  ["nothing", service, structuredClone(service), {}, {}, {}],
  [
    "an atomic map",
    { spec: { selector: { a: "1" } } },
    { spec: { selector: { a: "1", b: "2" } } },
    {},
    { "f:spec": { "f:selector": {} } },
    {},
  ],
  [
    "a new list with all that is in it",
    { spec: {} },
    { spec: { ports: [{ port: 80, protocol: "TCP" }] } },
    {
      "f:spec": {
        "f:ports": {
          ".": {},
          'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:port": {}, "f:protocol": {} },
        },
      },
    },
    {},
    {},
  ],
  [
    "an item gone, an item changed",
    { spec: { ports: [{ port: 1 }, { port: 2, name: "a" }] } },
    { spec: { ports: [{ port: 2, name: "b" }] } },
    {},
    { "f:spec": { "f:ports": { 'k:{"port":2,"protocol":"TCP"}': { "f:name": {} } } } },
    {
      "f:spec": { "f:ports": { 'k:{"port":1,"protocol":"TCP"}': { ".": {}, "f:port": {} } } },
    },
  ],
  [
    "a label that came, one that went",
    { metadata: { labels: { a: "1" } } },
    { metadata: { labels: { b: "1" } } },
    { "f:metadata": { "f:labels": { "f:b": {} } } },
    {},
    { "f:metadata": { "f:labels": { "f:a": {} } } },
  ],
])("compare: sees %s", (_, before, after, added, modified, removed) => {
  expect(compare(SERVICE, before, after)).toEqual({ added, modified, removed });
});

test("merge: the configuration wins, the rest stays, items find their places", () => {
  const live = {
    metadata: { labels: { a: "1", b: "2" }, finalizers: ["x", "y"] },
    spec: { ports: [{ port: 1, nodePort: 30001 }, { port: 2 }, { port: 3 }], selector: { a: "1" } },
  };
  const config = {
    metadata: { labels: { b: "3" }, finalizers: ["z", "x"] },
    spec: { ports: [{ port: 4 }, { port: 3 }, { port: 1, name: "one" }], selector: { b: "1" } },
  };
  const before = structuredClone(live);
  expect(typedMerge(SERVICE, live, config)).toEqual({
    metadata: { labels: { a: "1", b: "3" }, finalizers: ["z", "x", "y"] },
    spec: {
      ports: [{ port: 4 }, { port: 3 }, { port: 1, nodePort: 30001, name: "one" }, { port: 2 }],
      selector: { b: "1" },
    },
  });
  expect(live).toEqual(before);
});

test("remove: takes out paths, and leaves what is empty after that", () => {
  const set = {
    "f:metadata": { "f:labels": { "f:x": {} }, "f:finalizers": { 'v:"b"': {} } },
    "f:spec": { "f:ports": { 'k:{"port":80,"protocol":"TCP"}': {} }, "f:selector": {} },
  };
  expect(removeFields(SERVICE, service, set)).toEqual({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "a", labels: {}, finalizers: ["a"] },
    spec: { ports: [{ port: 80, protocol: "UDP", name: "u" }] },
  });
});

const V1 = "apps/v1";
const context = (now: string): OwnershipContext => ({
  version: (apiVersion) =>
    apiVersion === V1 ? { type: DEPLOYMENT, show: (object) => object } : undefined,
  ignored: {},
  now,
});
const who = (manager: string, operation: "Apply" | "Update"): Manager => ({
  manager,
  operation,
  apiVersion: V1,
  subresource: "",
});

interface State {
  object: object;
  entries: Entries;
}

function applied(state: State, manager: string, config: object, force = false, now = "t"): Applied {
  const options = { manager: who(manager, "Apply"), config, force };
  return apply(context(now), state.entries, state.object, (object) => object, options);
}

function afterApply(state: State, manager: string, config: object, force = false): State {
  const outcome = applied(state, manager, config, force);
  if (outcome.type === "conflicts") throw new Error(JSON.stringify(outcome.conflicts));
  return outcome;
}

function afterUpdate({ object, entries }: State, manager: string, next: object, now = "t"): State {
  const owner = who(manager, "Update");
  return { object: next, entries: ownersAfterUpdate(context(now), owner, entries, object, next) };
}

const NOTHING: State = { object: {}, entries: [] };
const spec = (fields: object) => ({ spec: fields });
const brief = ({ entries }: State) =>
  Object.fromEntries(entries.map((e) => [`${e.manager} ${e.operation}`, pathsOf(e.fieldsV1)]));

describe("ownership", () => {
  test("ownership: two may own one value, and it goes when neither says it any more", () => {
    let state = afterApply(NOTHING, "a", spec({ replicas: 1, paused: true }));
    state = afterApply(state, "b", spec({ replicas: 1 }));
    expect(brief(state)).toEqual({
      "a Apply": [".spec.paused", ".spec.replicas"],
      "b Apply": [".spec.replicas"],
    });
    state = afterApply(state, "a", spec({ paused: true }));
    expect(state.object).toEqual(spec({ replicas: 1, paused: true }));
    state = afterApply(state, "b", {});
    expect(state.object).toEqual(spec({ paused: true }));
    expect(brief(state)).toEqual({ "a Apply": [".spec.paused"] });
  });

  test("ownership: another value is a conflict, and moves when it is forced", () => {
    const state = afterApply(NOTHING, "a", spec({ replicas: 1, paused: true }));
    const outcome = applied(state, "b", spec({ replicas: 2, paused: false }));
    expect(outcome).toMatchObject({
      type: "conflicts",
      conflicts: [{ field: ".spec.paused" }, { field: ".spec.replicas" }],
    });
    const forced = afterApply(state, "b", spec({ replicas: 2 }), true);
    expect(brief(forced)).toEqual({ "a Apply": [".spec.paused"], "b Apply": [".spec.replicas"] });
    // Giving it up again does not touch what is somebody else's now.
    expect(afterApply(forced, "a", {}).object).toEqual(spec({ replicas: 2 }));
  });

  test("ownership: an update takes what it changes, an apply must win it back", () => {
    let state = afterApply(NOTHING, "a", spec({ replicas: 1 }));
    state = afterUpdate(state, "scaler", spec({ replicas: 3 }));
    expect(brief(state)).toEqual({ "scaler Update": [".spec.replicas"] });
    expect(applied(state, "a", spec({ replicas: 1 }))).toMatchObject({ type: "conflicts" });
    expect(applied(state, "a", spec({ replicas: 3 }))).toMatchObject({ type: "applied" });
  });

  test("ownership: an item goes with what is in it, but for what others put there", () => {
    const container = (fields: object) => ({
      spec: { template: { spec: { containers: [{ name: "x", ...fields }] } } },
    });
    const state = afterApply(NOTHING, "a", container({ image: "i" }));
    const shared = afterApply(state, "b", container({ command: ["c"] }));
    expect(afterApply(shared, "a", {}).object).toEqual(container({ command: ["c"] }));
    expect(afterApply(state, "a", {}).object).toEqual({});
  });

  test("ownership: nothing new is nothing changed, not even a time", () => {
    const state = afterApply(NOTHING, "a", spec({ replicas: 1 }));
    expect(applied(state, "a", spec({ replicas: 1 }), false, "later")).toEqual({
      type: "applied",
      ...state,
    });
    const same = afterUpdate(state, "b", structuredClone(state.object), "later");
    expect(same.entries).toBe(state.entries);
  });

  test("ownership: nobody owns names and what the API keeps", () => {
    const metadata = { name: "x", namespace: "y", uid: "z", labels: { a: "1" } };
    const state = afterApply(NOTHING, "a", { apiVersion: V1, kind: "Deployment", metadata });
    expect(brief(state)).toEqual({ "a Apply": [".metadata.labels.a"] });
  });

  test("ownership: what was owned in a version that is gone is nobody's", () => {
    const gone = { ...who("old", "Update"), apiVersion: "apps/v0", fieldsV1: { "f:spec": {} } };
    const state = { object: spec({ replicas: 1 }), entries: [gone] };
    expect(brief(afterUpdate(state, "b", spec({ replicas: 2 })))).toEqual({
      "b Update": [".spec.replicas"],
    });
  });

  test("ownership: more than ten who updated are put together, the oldest first", () => {
    let state = afterUpdate(NOTHING, "m00", { metadata: { labels: { l: "" } } }, "2026-01-01");
    for (let at = 1; at <= 11; at++) {
      const { labels } = (state.object as { metadata: { labels: object } }).metadata;
      const next = { metadata: { labels: { ...labels, [`l${at}`]: "" } } };
      const day = String(at + 1).padStart(2, "0");
      state = afterUpdate(state, `m${day}`, next, `2026-01-${day}`);
    }
    expect(state.entries).toHaveLength(10);
    expect(state.entries[0]).toMatchObject({ manager: "ancient-changes", time: "2026-01-03" });
    expect(brief(state)["ancient-changes Update"]).toEqual([
      ".metadata.labels",
      ".metadata.labels.l",
      ".metadata.labels.l1",
      ".metadata.labels.l2",
    ]);
  });

  test.each([
    [undefined, undefined],
    [[], undefined],
    [[{}], []],
    [[{ operation: "Apply", apiVersion: V1, fieldsType: "FieldsV2", fieldsV1: {} }], undefined],
    [[{ operation: "Delete", apiVersion: V1, fieldsType: "FieldsV1", fieldsV1: {} }], undefined],
    [[{ operation: "Apply", fieldsType: "FieldsV1", fieldsV1: {} }], undefined],
    [
      [{ operation: "Apply", apiVersion: V1, fieldsType: "FieldsV1", fieldsV1: { x: {} } }],
      undefined,
    ],
  ])("ownership: %j as given is %j", (given, expected) => {
    expect(givenEntries(given as Parameters<typeof givenEntries>[0])).toEqual(expected);
  });
});

describe("ownership properties", () => {
  const name = fc.constantFrom("a", "b", "c");
  // No empty lists: between two writes they are decoded, which leaves them out.
  const containers = fc
    .uniqueArray(
      fc.record(
        {
          name,
          image: fc.constantFrom("1", "2"),
          command: fc.constantFrom(["x"], ["y", "z"]),
          env: fc.uniqueArray(fc.record({ name, value: fc.constantFrom("1", "2") }), {
            selector: (item) => item.name,
            minLength: 1,
            maxLength: 2,
          }),
        },
        { requiredKeys: ["name"] },
      ),
      { selector: (item) => item.name, minLength: 1, maxLength: 3 },
    )
    .map((list) => ({ spec: { containers: list } }));
  const config = fc.record(
    {
      metadata: fc.record({
        labels: fc.dictionary(name, fc.constantFrom("1", "2"), { minKeys: 1 }),
      }),
      spec: fc.record(
        { replicas: fc.integer({ min: 0, max: 2 }), template: containers },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  );
  const step = fc.record({ manager: fc.constantFrom("m", "n"), config });

  test("ownership: applying twice is applying once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), step, (steps, last) => {
        const all = [...steps, last];
        const state = all.reduce(
          (s, { manager, config }) => afterApply(s, manager, config, true),
          NOTHING,
        );
        expect(applied(state, last.manager, last.config, false, "later")).toEqual({
          type: "applied",
          ...state,
        });
      }),
    );
  });

  test("ownership: what was applied is in the object, and everything in it has an owner", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), (steps) => {
        const state = steps.reduce(
          (s, { manager, config }) => afterApply(s, manager, config, true),
          NOTHING,
        );
        const last = steps.at(-1)?.config ?? {};
        expect(
          isSame(compare(DEPLOYMENT, typedMerge(DEPLOYMENT, state.object, last), state.object)),
        ).toBe(true);
        const owned = state.entries.map((entry) => entry.fieldsV1).reduce(union, {});
        expect(pathsOf(difference(ownedFields(DEPLOYMENT, state.object), owned))).toEqual([]);
      }),
    );
  });

  test("compare: what is added to nothing and removed from it is what there is, leaf by leaf", () => {
    fc.assert(
      fc.property(config, config, (a, b) => {
        const forth = compare(DEPLOYMENT, a, b);
        const back = compare(DEPLOYMENT, b, a);
        expect(forth.added).toEqual(back.removed);
        expect(forth.modified).toEqual(back.modified);
        const missing = difference(ownedFields(DEPLOYMENT, a), compare(DEPLOYMENT, {}, a).added);
        expect(pathsOf(missing)).toEqual([]);
      }),
    );
  });
});
