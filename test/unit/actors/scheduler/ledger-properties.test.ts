/**
 * Shards and ledger as a model: each sees the one log of changes at its own pace, binds are under
 * way while others decide, ledgers are replaced at any moment. What fast-check draws is the
 * interleaving; the deciding code is the real one.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SchedulerCache } from "../../../../actors/scheduler/cache.ts";
import { decide, helps } from "../../../../actors/scheduler/decide.ts";
import { judge } from "../../../../actors/scheduler/ledger.ts";
import type { NodeInfo } from "../../../../actors/scheduler/node-info.ts";
import { awaitsNode, type PodInfo } from "../../../../actors/scheduler/pod-info.ts";
import { SchedulingQueue } from "../../../../actors/scheduler/queue.ts";
import { shardOf } from "../../../../actors/scheduler/shard.ts";
import type { Random } from "../../../../runtime/random.ts";
import { createSeededRandom } from "../../../../runtime/sim/random.ts";
import { nodeInfo, podInfo } from "./builders.ts";

const nodes: readonly NodeInfo[] = [
  nodeInfo("a", { cpu: 700, pods: 3 }),
  nodeInfo("b", { cpu: 400, pods: 2 }),
];

type LogEntry = { pod: PodInfo; deleted: boolean };
interface Proposal {
  shard: Follower;
  pod: PodInfo;
  node: string;
}
interface Commit extends Proposal {
  epoch: number;
}

/** Whoever keeps a cache behind the log. */
class Follower {
  readonly cache = new SchedulerCache();
  readonly queue = new SchedulingQueue(helps);
  readonly shard: number;
  #position = 0;

  constructor(shard: number) {
    this.shard = shard;
    for (const node of nodes) this.cache.table.setNode(node);
  }

  see(log: readonly LogEntry[], now: number): void {
    const entry = log[this.#position];
    if (entry === undefined) return;
    this.#position++;
    const { pod, deleted } = entry;
    if (deleted) {
      this.queue.remove(pod.uid);
      if (this.cache.remove(pod.uid)) this.queue.happened("pod-freed", now);
    } else if (pod.nodeName !== "") {
      this.queue.remove(pod.uid);
      if (this.cache.confirm(pod)) this.queue.happened("pod-freed", now);
    } else if (awaitsNode(pod) && shardOf(pod.uid, 2) === this.shard) {
      if (!this.cache.isAssumed(pod.uid)) this.queue.put(pod, now);
    }
  }

  seeAll(log: readonly LogEntry[], now: number): void {
    while (this.#position < log.length) this.see(log, now);
  }
}

class Model {
  readonly shards = [new Follower(0), new Follower(1)] as const;
  readonly truth = new Map<string, PodInfo>();
  readonly log: LogEntry[] = [];
  ledger = new Follower(-1);
  proposals: Proposal[] = [];
  commits: Commit[] = [];
  now = 0;
  readonly #random: Random = createSeededRandom("model");
  #epoch = 0;
  #named = 0;

  create(cpu: number): void {
    this.#write(podInfo(`p${this.#named++}`, { cpu }));
  }

  delete(nth: number): void {
    const pod = [...this.truth.values()][nth % Math.max(1, this.truth.size)];
    if (pod === undefined) return;
    this.truth.delete(pod.uid);
    this.log.push({ pod, deleted: true });
  }

  /** False when there was nothing to try. */
  schedule(shard: Follower): boolean {
    shard.queue.flush(this.now);
    const pod = shard.queue.pop();
    if (pod === undefined) return false;
    const decision = decide(pod, shard.cache.table, this.#random);
    if (decision.type === "unschedulable") {
      shard.queue.park(pod.uid, decision.rejectedBy, this.now);
    } else {
      shard.cache.assume(pod, decision.node);
      this.proposals.push({ shard, pod, node: decision.node });
    }
    return true;
  }

  /** The ledger judges a proposal; only then a commit is under way. */
  judge(nth: number): void {
    const [proposal] = this.proposals.splice(nth % Math.max(1, this.proposals.length), 1);
    if (proposal === undefined) return;
    const { pod, node } = proposal;
    const { namespace, name, uid } = pod;
    const verdict = judge(this.ledger.cache, pod, { namespace, name, uid, node });
    if (verdict === "fits") {
      this.ledger.cache.assume(pod, node);
      this.commits.push({ ...proposal, epoch: this.#epoch });
    } else this.#fail(proposal);
  }

  /** The API carries it out, unless the pod is gone or bound or the ledger was replaced. */
  land(nth: number): void {
    const [commit] = this.commits.splice(nth % Math.max(1, this.commits.length), 1);
    if (commit === undefined) return;
    const pod = this.truth.get(commit.pod.uid);
    if (pod?.nodeName === "" && commit.epoch === this.#epoch) {
      this.#write({ ...pod, nodeName: commit.node });
      commit.shard.queue.remove(pod.uid);
    } else {
      if (commit.epoch === this.#epoch) this.ledger.cache.forget(commit.pod.uid);
      this.#fail(commit);
    }
  }

  /** A new ledger: its epoch first, then everything committed, then its first judgement. */
  replaceLedger(): void {
    this.#epoch++;
    this.ledger = new Follower(-1);
    this.ledger.seeAll(this.log, this.now);
  }

  overfull(): string[] {
    return nodes
      .filter(({ name, allocatable }) => {
        const there = [...this.truth.values()].filter(({ nodeName }) => nodeName === name);
        const cpu = there.reduce((sum, { requests }) => sum + (requests.get("cpu") ?? 0), 0);
        const most = (resource: string) => allocatable.get(resource) ?? 0;
        return cpu > most("cpu") || there.length > most("pods");
      })
      .map(({ name }) => name);
  }

  /** Nothing is lost or slow any more: everybody works until nobody finds anything to do. */
  calmDown(): void {
    for (let idle = 0; idle < 3; idle++) {
      // Longer than any backoff, and all rounds together shorter than the flush after 5 minutes.
      this.now += 11_000;
      while (this.proposals.length > 0) this.judge(0);
      while (this.commits.length > 0) this.land(0);
      for (const follower of [...this.shards, this.ledger]) follower.seeAll(this.log, this.now);
      for (const shard of this.shards) while (this.schedule(shard)) idle = 0;
    }
  }

  #write(pod: PodInfo): void {
    this.truth.set(pod.uid, pod);
    this.log.push({ pod, deleted: false });
  }

  #fail({ shard, pod }: Proposal): void {
    shard.cache.forget(pod.uid);
    shard.queue.happened("pod-freed", this.now);
    shard.queue.backOff(pod.uid, this.now);
  }
}

const step = fc.record({
  what: fc.constantFrom(
    ...["create", "create", "delete", "see", "see", "see", "schedule", "schedule"],
    ...["judge", "judge", "land", "land", "replace", "wait"],
  ),
  which: fc.nat(20),
  cpu: fc.constantFrom(100, 200, 300, 400),
});

function run(model: Model, { what, which, cpu }: { what: string; which: number; cpu: number }) {
  const shard = model.shards[which % 2 === 0 ? 0 : 1];
  if (what === "create") model.create(cpu);
  if (what === "delete") model.delete(which);
  const follower = which % 3 === 2 ? model.ledger : shard;
  if (what === "see")
    for (let seen = 0; seen <= which; seen += 4) follower.see(model.log, model.now);
  if (what === "schedule") model.schedule(shard);
  if (what === "judge") model.judge(which);
  if (what === "land") model.land(which);
  if (what === "replace") model.replaceLedger();
  if (what === "wait") model.now += 3_000;
}

describe("ledger properties", () => {
  test("ledger: no node is above its capacity, whatever the interleaving", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 60, maxLength: 200 }), (steps) => {
        const model = new Model();
        for (const each of steps) {
          run(model, each);
          expect(model.overfull()).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("ledger: when all is calm, every pod that fits somewhere is bound", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 60, maxLength: 120 }), (steps) => {
        const model = new Model();
        for (const each of steps) run(model, each);
        model.calmDown();
        expect(model.overfull()).toEqual([]);
        for (const pod of model.truth.values()) {
          if (pod.nodeName !== "") continue;
          const { type } = decide(pod, model.ledger.cache.table, createSeededRandom("check"));
          expect({ pod: pod.name, type }).toEqual({ pod: pod.name, type: "unschedulable" });
        }
      }),
      { numRuns: 200 },
    );
  });
});
