import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SchedulerCache } from "../../../../actors/scheduler/cache.ts";
import { NodeTable } from "../../../../actors/scheduler/node-table.ts";
import { nodeInfo, podInfo } from "./builders.ts";

function cpuOf(table: NodeTable, node: string): number {
  const row = table.rowOf(node);
  return row === undefined ? 0 : table.requested(row, "cpu");
}

describe("scheduler cache", () => {
  test("cache: an assumed pod counts at once, and once only when it is confirmed", () => {
    const cache = new SchedulerCache();
    cache.table.setNode(nodeInfo("a"));
    cache.assume(podInfo("web", { cpu: 500 }), "a");
    expect(cpuOf(cache.table, "a")).toBe(500);
    cache.confirm(podInfo("web", { cpu: 500, nodeName: "a" }));
    expect(cpuOf(cache.table, "a")).toBe(500);
    expect(cache.isAssumed("uid-web")).toBe(false);
  });

  test("cache: forget takes an assumed pod away and leaves a confirmed one", () => {
    const cache = new SchedulerCache();
    cache.table.setNode(nodeInfo("a"));
    cache.assume(podInfo("gone", { cpu: 500 }), "a");
    cache.assume(podInfo("bound", { cpu: 300 }), "a");
    cache.confirm(podInfo("bound", { cpu: 300, nodeName: "a" }));
    cache.forget("uid-gone");
    cache.forget("uid-bound");
    expect(cpuOf(cache.table, "a")).toBe(300);
  });

  test("cache: a pod that another scheduler bound elsewhere moves", () => {
    const cache = new SchedulerCache();
    cache.assume(podInfo("web", { cpu: 500 }), "a");
    expect(cache.confirm(podInfo("web", { cpu: 500, nodeName: "b" }))).toBe(true);
    expect([cpuOf(cache.table, "a"), cpuOf(cache.table, "b")]).toEqual([0, 500]);
  });

  test("cache: a pod that ended, shrank or was deleted frees what it held, and says so", () => {
    const cache = new SchedulerCache();
    const at = { nodeName: "a" };
    for (const name of ["ends", "shrinks", "goes"])
      cache.confirm(podInfo(name, { cpu: 500, ...at }));
    expect(cache.confirm(podInfo("ends", { cpu: 500, terminal: true, ...at }))).toBe(true);
    expect(cache.confirm(podInfo("shrinks", { cpu: 200, ...at }))).toBe(true);
    expect(cache.remove("uid-goes")).toBe(true);
    expect(cache.remove("uid-goes")).toBe(false);
    expect(cpuOf(cache.table, "a")).toBe(200);
  });

  test("cache: pods may be seen before their node", () => {
    const cache = new SchedulerCache();
    cache.confirm(podInfo("early", { cpu: 500, nodeName: "late" }));
    expect(cache.table.size).toBe(0);
    cache.table.setNode(nodeInfo("late"));
    expect(cache.table.size).toBe(1);
    expect(cpuOf(cache.table, "late")).toBe(500);
  });
});

describe("node table", () => {
  test("node table: a row that is used again begins at zero", () => {
    const table = new NodeTable();
    table.setNode(nodeInfo("old", { cpu: 1_000 }));
    table.addPod(podInfo("web", { cpu: 500 }), "old");
    table.removeNode("old");
    table.removePod(podInfo("web", { cpu: 500 }), "old");
    const rows = table.rows;
    table.setNode(nodeInfo("new"));
    const row = table.rowOf("new") ?? -1;
    expect(table.rows).toBe(rows);
    expect([table.podCount(row), table.requested(row, "cpu"), table.scored(row, "cpu")]).toEqual([
      0, 0, 0,
    ]);
    expect(table.rowOf("old")).toBeUndefined();
  });

  test("node table: grows beyond its first size and keeps its columns", () => {
    const table = new NodeTable();
    for (let node = 0; node < 100; node++) {
      table.setNode(nodeInfo(`n${node}`, { cpu: node }));
      table.addPod(podInfo(`p${node}`, { cpu: node }), `n${node}`);
    }
    for (let node = 0; node < 100; node++) {
      const row = table.rowOf(`n${node}`) ?? -1;
      expect([table.allocatable(row, "cpu"), table.requested(row, "cpu")]).toEqual([node, node]);
    }
  });

  test("node table: whatever comes and goes, the counts are those of the pods that are there", () => {
    const step = fc.record({
      what: fc.constantFrom("add", "remove", "node", "no-node"),
      pod: fc.integer({ min: 0, max: 9 }),
      node: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = new SchedulerCache();
        const truth = new Map<string, { node: string; cpu: number }>();
        for (const { what, pod, node } of steps) {
          const cpu = (pod + 1) * 100;
          const nodeName = `n${node}`;
          if (what === "node") cache.table.setNode(nodeInfo(nodeName));
          if (what === "no-node") cache.table.removeNode(nodeName);
          if (what === "remove") cache.remove(`uid-p${pod}`);
          if (what === "remove") truth.delete(`uid-p${pod}`);
          if (what === "add") cache.confirm(podInfo(`p${pod}`, { cpu, nodeName }));
          if (what === "add") truth.set(`uid-p${pod}`, { node: nodeName, cpu });
        }
        for (const name of ["n0", "n1", "n2", "n3"]) {
          const there = [...truth.values()].filter(({ node }) => node === name);
          const row = cache.table.rowOf(name);
          expect(cpuOf(cache.table, name)).toBe(there.reduce((sum, { cpu }) => sum + cpu, 0));
          expect(row === undefined ? 0 : cache.table.podCount(row)).toBe(there.length);
        }
      }),
    );
  });
});
