/** Shards and the ledger as actors, on the simulated runtime: who gets a gap, and who hears why not. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { ledgerPrincipal } from "../../../../actors/apiserver/authn/user.ts";
import { owned } from "../../../../actors/kit/owned.ts";
import { ledger, ledgerWrites } from "../../../../actors/scheduler/ledger.ts";
import type { BindPod, PodBound } from "../../../../actors/scheduler/messages.ts";
import { shard, shardWrites } from "../../../../actors/scheduler/shard.ts";
import { ledgerBindSubject } from "../../../../actors/subjects.ts";
import { Epoch, Node, Pod } from "../../../../manifests/index.ts";
import type { Bus } from "../../../../runtime/bus.ts";
import type { SimProcess } from "../../../../runtime/sim/process.ts";
import { controllersPrincipal, type Scene, startScene } from "../../../harness/controller.ts";

const principal = controllersPrincipal;
const shards = 2;

let scene: Scene;
let bus: Bus;

beforeEach(async () => {
  const writes = [...shardWrites, ...ledgerWrites];
  scene = await startScene({ writes, principals: [ledgerPrincipal] });
  let connected: Bus | undefined;
  scene.start("asking", (host) => {
    connected = host.connect({ principal });
  });
  await scene.until("a connection", () => connected !== undefined);
  if (!connected) throw new Error("no connection");
  bus = connected;
});

afterEach(async () => {
  await scene.dispose();
});

function startLedger(name = "ledger"): SimProcess {
  return scene.start(name, (host, informers) => {
    host.system(host.connect({ principal: ledgerPrincipal })).spawn(owned(ledger), {
      name: "ledger",
      identity: `${name}-${host.random.uuid()}`,
      principal: ledgerPrincipal,
      informers,
      args: (ownership) => ({ principal: ledgerPrincipal, informers, ownership }),
    });
  });
}

function startShards(): SimProcess {
  return scene.start("shards", (host, informers) => {
    const system = host.system(host.connect({ principal }));
    for (let index = 0; index < shards; index++) {
      const name = `scheduler-${index}`;
      system.spawn(
        owned(shard),
        {
          name,
          identity: `${name}-${host.random.uuid()}`,
          principal,
          informers,
          args: (ownership) => ({ principal, informers, ownership, shard: index, shards }),
        },
        { name },
      );
    }
  });
}

async function createNode(name: string, cpu: string): Promise<void> {
  const allocatable = { cpu, memory: "8Gi", pods: "110" };
  await scene.settle(scene.api.create(Node, { metadata: { name }, spec: {} }));
  const status = { capacity: allocatable, allocatable };
  const merge = { type: "merge", subresource: "status" } as const;
  await scene.settle(scene.api.patch(Node, name, { status }, merge));
  await scene.settle(scene.api.patch(Node, name, { spec: { taints: null } }, { type: "merge" }));
}

/** `schedulerName` of somebody else keeps the shards away from it. */
function createPod(name: string, cpu: string, spec: Partial<Pod["spec"]> = {}): Promise<Pod> {
  const containers = [{ name: "main", image: "nginx:1.22", resources: { requests: { cpu } } }];
  const metadata = { name, namespace: "default" };
  return scene.settle(scene.api.create(Pod, { metadata, spec: { containers, ...spec } }));
}

const strangers = { schedulerName: "somebody-else" };

async function bind(pod: Pod, node: string): Promise<PodBound> {
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const request: BindPod = { namespace, name, uid, node };
  const answer = await bus.request(ledgerBindSubject(principal), JSON.stringify(request));
  return JSON.parse(new TextDecoder().decode(answer.data)) as PodBound;
}

async function nodeOf(name: string): Promise<string> {
  return (await scene.settle(scene.api.get(Pod, `default/${name}`))).spec.nodeName ?? "";
}

async function untilOwned(...names: string[]): Promise<void> {
  for (const name of names) {
    await scene.until(`an owner of ${name}`, async () => Boolean(await scene.api.get(Epoch, name)));
  }
  await scene.passes(500);
}

test("ledger: of two pods that ask for the last gap at once one gets it, the other hears why not", async () => {
  await createNode("a", "1");
  const pods = [await createPod("p", "600m", strangers), await createPod("q", "600m", strangers)];
  startLedger();
  await untilOwned("ledger");
  const answers = await scene.settle(Promise.all(pods.map((pod) => bind(pod, "a"))));
  expect(answers).toEqual([{ type: "bound" }, { type: "refused", reasons: ["Insufficient cpu"] }]);
  expect([await nodeOf("p"), await nodeOf("q")]).toEqual(["a", ""]);
  // What was refused is not counted.
  expect(await scene.settle(bind(await createPod("r", "400m", strangers), "a"))).toEqual({
    type: "bound",
  });
});

test("ledger: the same bind asked twice is one, and another node is told where the pod is", async () => {
  await createNode("a", "1");
  await createNode("b", "1");
  const pod = await createPod("p", "600m", strangers);
  startLedger();
  await untilOwned("ledger");
  const twice = await scene.settle(Promise.all([bind(pod, "a"), bind(pod, "a")]));
  expect(twice).toEqual([{ type: "bound" }, { type: "bound" }]);
  expect(await scene.settle(bind(pod, "b"))).toEqual({ type: "gone", node: "a" });
  const successor = { ...pod, metadata: { ...pod.metadata, uid: "of-one-before" } };
  expect(await scene.settle(bind(successor, "b"))).toEqual({ type: "gone" });
});

test("ledger: what it cannot judge it refuses, and says so", async () => {
  const pod = await createPod("p", "600m", strangers);
  startLedger();
  await untilOwned("ledger");
  expect(await scene.settle(bind(pod, "nowhere"))).toEqual({
    type: "refused",
    reasons: ['node "nowhere" not found'],
  });
  const unknown = { metadata: { name: "unknown", namespace: "default", uid: "x" } } as Pod;
  expect(await scene.settle(bind(unknown, "a"))).toEqual({
    type: "refused",
    reasons: ["the ledger has not seen the pod yet"],
  });
  const nonsense = await scene.settle(bus.request(ledgerBindSubject(principal), "nonsense"));
  expect(new TextDecoder().decode(nonsense.data)).toContain("the request is not a BindPod");
});

test("ledger: one that lost its epoch in the middle commits nothing; the next one does", async () => {
  await createNode("a", "1");
  const pod = await createPod("p", "600m", strangers);
  startLedger();
  await untilOwned("ledger");
  const epoch = await scene.settle(scene.api.get(Epoch, "ledger"));
  // Both wait for a leader: somebody's takeover, and behind it the bind that was already judged.
  scene.streams.objects.leaderless(1_000);
  const spec = { holder: "somebody", term: epoch.spec.term + 1 };
  const taking = scene.api.update(Epoch, { ...epoch, spec });
  await scene.passes(50);
  const unanswered = bind(pod, "a").catch(() => "no answer");
  await scene.settle(taking);
  await scene.until("an owner again", async () => {
    return (await scene.api.get(Epoch, "ledger")).spec.term > epoch.spec.term + 1;
  });
  expect(await nodeOf("p")).toBe("");
  expect(await scene.settle(unanswered)).toBe("no answer");
  await scene.passes(500);
  expect(await scene.settle(bind(pod, "a"))).toEqual({ type: "bound" });
  expect(await nodeOf("p")).toBe("a");
});

test("ledger: a successor counts what its predecessor committed before it judges", async () => {
  await createNode("a", "1");
  const first = await createPod("p", "600m", strangers);
  const second = await createPod("q", "600m", strangers);
  const killed = startLedger("ledger-1");
  await untilOwned("ledger");
  startLedger("ledger-2");
  // Its answer is lost, with it, and the bind may be on its way.
  const unanswered = bind(first, "a").catch(() => "no answer");
  await scene.passes(1);
  killed.kill();
  let heard: PodBound | undefined;
  await scene.until("the successor", async () => {
    heard = await bind(second, "a");
    return true;
  });
  await scene.settle(unanswered);
  const placed = [await nodeOf("p"), await nodeOf("q")].filter((it) => it !== "");
  expect(placed).toEqual(["a"]);
  const isBound = (await nodeOf("q")) === "a";
  expect(heard?.type).toBe(isBound ? "bound" : "refused");
});

test("shard: pods of both shards race for one gap; the loser waits with a reason until there is room", async () => {
  await createNode("a", "1");
  startLedger();
  startShards();
  await untilOwned("ledger", "scheduler-0", "scheduler-1");
  const names = ["p1", "p2", "p3", "p4"];
  await Promise.all(names.map((name) => createPod(name, "600m")));
  const placed = async () => {
    const all = await scene.pods();
    return all.filter(({ spec }) => spec.nodeName).map(({ metadata }) => metadata.name ?? "");
  };
  await scene.until("a winner", async () => (await placed()).length > 0);
  await scene.passes(30_000);
  const [winner = "", ...others] = await placed();
  expect(others).toEqual([]);
  const losers = names.filter((name) => name !== winner);
  for (const name of losers) {
    const { status } = await scene.settle(scene.api.get(Pod, `default/${name}`));
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({
        type: "PodScheduled",
        status: "False",
        reason: "Unschedulable",
        message: expect.stringMatching(/^0\/1 nodes are available: 1 Insufficient cpu\./),
      }),
    );
    expect((await scene.events(name)).join()).toContain("FailedScheduling: 0/1 nodes");
  }
  await scene.settle(scene.api.delete(Pod, `default/${winner}`, { gracePeriodSeconds: 0 }));
  await scene.until("another winner", async () => (await placed()).length === 1, 120_000);
  const [next = ""] = await placed();
  expect(losers).toContain(next);
  const scheduled = (await scene.events(next)).filter((it) => it.startsWith("Scheduled"));
  expect(scheduled).toEqual([`Scheduled: Successfully assigned default/${next} to a`]);
});

test("shard: a node that goes while the bind is under way is refused, and the pod finds another", async () => {
  await createNode("a", "1");
  startShards();
  await untilOwned("scheduler-0", "scheduler-1");
  // Nobody answers for the ledger yet: the shard has chosen, and asks again.
  await createPod("p", "600m");
  await scene.passes(200);
  await scene.settle(scene.api.delete(Node, "a"));
  startLedger();
  await untilOwned("ledger");
  await scene.passes(5_000);
  expect(await nodeOf("p")).toBe("");
  await createNode("b", "1");
  await scene.until("another node", async () => (await nodeOf("p")) === "b", 60_000);
});

test("shard: a pod that is deleted while it is being bound takes no room", async () => {
  await createNode("a", "1");
  startShards();
  await untilOwned("scheduler-0", "scheduler-1");
  await createPod("p", "600m");
  await scene.passes(200);
  await scene.settle(scene.api.delete(Pod, "default/p", { gracePeriodSeconds: 0 }));
  startLedger();
  await untilOwned("ledger");
  await createPod("q", "600m");
  await scene.until("the room that it left", async () => (await nodeOf("q")) === "a", 30_000);
});

test("shard: one that is killed leaves its pods to the next", async () => {
  await createNode("a", "1");
  startLedger();
  const killed = startShards();
  await untilOwned("ledger", "scheduler-0", "scheduler-1");
  killed.kill();
  await createPod("p", "600m");
  startShards();
  await scene.until("its node", async () => (await nodeOf("p")) === "a");
});
