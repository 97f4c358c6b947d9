import { afterEach, beforeEach, expect, test } from "vitest";
import { type Api, createApi } from "../../../../actors/kit/client.ts";
import { type Ownership, owned } from "../../../../actors/kit/owned.ts";
import { create } from "../../../../actors/kit/writes.ts";
import { ConfigMap, Epoch } from "../../../../manifests/index.ts";
import type { ActorDefinition } from "../../../../runtime/actor.ts";
import type { SimProcess } from "../../../../runtime/sim/process.ts";
import { controllersPrincipal, type Scene, startScene } from "../../../harness/controller.ts";

const writes = [create(ConfigMap)];
const principal = controllersPrincipal;

let scene: Scene;
/** Who believes to be the owner, with a client under its epoch. */
let owners: Map<string, Api>;

beforeEach(async () => {
  scene = await startScene({ writes });
  owners = new Map();
});

afterEach(async () => {
  await scene.dispose();
});

function worker(name: string): ActorDefinition<never, Ownership> {
  return {
    name: "worker",
    start(ctx, { epoch, deposed }) {
      const under = { principal, writes, epoch: () => epoch, onDeposed: deposed };
      owners.set(name, createApi(ctx.bus, ctx.clock, under));
      ctx.onEnd(() => void owners.delete(name));
      return { receive: () => undefined };
    },
  };
}

function candidate(name: string): SimProcess {
  return scene.start(name, (host, informers) => {
    host.system(host.connect({ principal })).spawn(owned(worker(name)), {
      name: "shard-0",
      identity: `${name}-${host.random.uuid()}`,
      principal,
      informers,
      args: (ownership) => ownership,
    });
  });
}

async function waitMs(what: string, holds: () => boolean, withinMs: number): Promise<number> {
  const from = scene.world.clock.monotonic();
  await scene.until(what, holds, withinMs);
  return scene.world.clock.monotonic() - from;
}

test("owned: one of several candidates owns, and goes on owning", async () => {
  const names = ["a", "b", "c"];
  for (const name of names) candidate(name);
  await scene.until("an owner", () => owners.size > 0);
  const [first] = owners.keys();
  await scene.passes(60_000);
  expect([...owners.keys()]).toEqual([first]);
});

test("owned: who starts together with the API need not be sent away, and owns at once", async () => {
  scene.servers[0]?.kill();
  // The API answers before it has loaded.
  for (const stream of Object.values(scene.streams)) stream.leaderless(300);
  scene.servers[0]?.start();
  candidate("a");
  expect(await waitMs("the owner", () => owners.has("a"), 5_000)).toBeLessThan(900);
});

test("owned: a planned stop hands over in under a second", async () => {
  const a = candidate("a");
  await scene.until("the owner", () => owners.has("a"));
  candidate("b");
  await scene.passes(5_000);
  await scene.settle(a.stop());
  expect(await waitMs("the next owner", () => owners.has("b"), 2_000)).toBeLessThan(1_000);
});

test("owned: after a crash the lost connection is enough, long before the Lease runs out", async () => {
  const a = candidate("a");
  await scene.until("the owner", () => owners.has("a"));
  candidate("b");
  await scene.passes(5_000);
  a.kill();
  expect(await waitMs("the next owner", () => owners.has("b"), 20_000)).toBeLessThan(10_000);
});

test("owned: an owner goes on through an outage of the API", async () => {
  candidate("a");
  await scene.until("the owner", () => owners.has("a"));
  candidate("b");
  scene.streams.leases.leaderless(40_000);
  scene.streams.objects.leaderless(40_000);
  await scene.passes(39_000);
  expect([...owners.keys()]).toEqual(["a"]);
  await scene.passes(30_000);
  expect(owners.size).toBe(1);
});

test("owned: a deposed owner writes nothing more, and its actor ends", async () => {
  candidate("a");
  await scene.until("the owner", () => owners.has("a"));
  const deposed = owners.get("a");
  if (!deposed) throw new Error("no owner");
  const map = (name: string): ConfigMap => ({ metadata: { name, namespace: "default" } });
  await scene.settle(deposed.create(ConfigMap, map("before")));
  // Somebody else took the epoch, whatever the Lease says.
  const epoch = await scene.settle(scene.api.get(Epoch, "shard-0"));
  const spec = { holder: "somebody", term: epoch.spec.term + 1 };
  await scene.settle(scene.api.update(Epoch, { ...epoch, spec }));
  await expect(scene.settle(deposed.create(ConfigMap, map("after")))).rejects.toThrow("deposed");
  await scene.until("its actor to end", () => owners.get("a") !== deposed, 1_000);
  const names = (await scene.settle(scene.api.list(ConfigMap))).items.map((it) => it.metadata.name);
  expect(names).toEqual(["before"]);
});

test("owned: what is not a declared write is refused before it is sent", async () => {
  candidate("a");
  await scene.until("the owner", () => owners.has("a"));
  const key = "default/anything";
  await expect(owners.get("a")?.delete(ConfigMap, key)).rejects.toThrow(
    `configmaps is forbidden: ${principal} does not declare the write "delete configmaps"`,
  );
});
