/**
 * Scheduler shard: finds a node for each of its pods and asks the ledger to bind it there.
 *
 * Mailbox  schedule | settled               one pod is decided at a time, many binds are under way
 * Watches  core/pods, core/nodes            the whole cluster, not only its own pods
 * Owns     the queue of its pods, and its picture of what is on each node; rebuilt at start
 * Writes   core/pods/status (the condition PodScheduled=False), core/events
 * Fails    bind refused, ledger away: the pod is forgotten on the node and tried again after its
 *          backoff. Crash: rebuilt from the informers; a bind under way then counts when it is seen
 * Scales   N shards (Leases `scheduler-<n>`), each one owner; a pod's shard is the hash of its uid.
 *          Two owners of one shard only ask the ledger twice.
 */

import { Node, Pod } from "../../manifests/index.ts";
import type { ActorDefinition, Context } from "../../runtime/actor.ts";
import { isBusError } from "../../runtime/bus.ts";
import type { Timer } from "../../runtime/clock.ts";
import { assertNever, errorMessage } from "../../runtime/errors.ts";
import { type Api, createApi } from "../kit/client.ts";
import { createRecorder, type EventRecorder, eventWrites } from "../kit/events.ts";
import type { Informer, Informers } from "../kit/informer.ts";
import type { Ownership } from "../kit/owned.ts";
import { status, type Write } from "../kit/writes.ts";
import { ledgerBindSubject } from "../subjects.ts";
import { SchedulerCache } from "./cache.ts";
import { unschedulablePatch } from "./condition.ts";
import { decide, helps } from "./decide.ts";
import type { BindPod, PodBound } from "./messages.ts";
import { computeNodeInfo, nodeEvents } from "./node-info.ts";
import { unsupportedFields } from "./plugins/unsupported-fields.ts";
import { awaitsNode, computePodInfo, defaultSchedulerName, type PodInfo } from "./pod-info.ts";
import { SchedulingQueue } from "./queue.ts";

export const shardWrites: readonly Write[] = [status(Pod), ...eventWrites];

export interface ShardArgs {
  principal: string;
  informers: Informers;
  ownership: Ownership;
  shard: number;
  shards: number;
}

export type ShardMessage =
  | { type: "schedule" }
  | { type: "settled"; pod: PodInfo; node: string; result: PodBound };

/** Enough to keep the store's group commit busy; more would only wait there. */
const mostBinding = 200;
/** A ledger that starts or is handed over is back within this; a backoff would take longer. */
const ledgerPatienceMs = 2_000;
const ledgerPauseMs = 50;
/** Pods decided before other messages get their turn. */
const batch = 50;

export const shard: ActorDefinition<ShardMessage, ShardArgs> = {
  name: "shard",
  async start(ctx, args) {
    const pods = args.informers.of(Pod);
    const nodes = args.informers.of(Node);
    await Promise.all([pods.synced(), nodes.synced()]);
    return new Shard(ctx, args, pods, nodes);
  },
};

class Shard {
  readonly #ctx: Context<ShardMessage>;
  readonly #args: ShardArgs;
  readonly #api: Api;
  readonly #recorder: EventRecorder;
  readonly #pods: Informer<Pod>;
  readonly #cache = new SchedulerCache();
  readonly #queue = new SchedulingQueue(helps);
  #binding = 0;
  #awake = false;
  #alarm: Timer | undefined;

  constructor(
    ctx: Context<ShardMessage>,
    args: ShardArgs,
    pods: Informer<Pod>,
    nodes: Informer<Node>,
  ) {
    const { principal, ownership } = args;
    const { bus, clock, random, log, signal } = ctx;
    this.#ctx = ctx;
    this.#args = args;
    this.#pods = pods;
    this.#api = createApi(bus, clock, {
      principal,
      writes: shardWrites,
      epoch: () => ownership.epoch,
      onDeposed: () => ownership.deposed(),
      signal,
    });
    const component = defaultSchedulerName;
    this.#recorder = createRecorder(this.#api, { component, clock, random, log });
    const seen = [
      nodes.addHandlers({
        onAdd: (node) => this.#seeNode(node),
        onUpdate: (_, node) => this.#seeNode(node),
        onDelete: (node) => this.#cache.table.removeNode(node.metadata.name ?? ""),
      }),
      pods.addHandlers({
        onAdd: (pod) => this.#seePod(computePodInfo(pod)),
        onUpdate: (_, pod) => this.#seePod(computePodInfo(pod)),
        onDelete: (pod) => this.#losePod(pod.metadata.uid ?? ""),
      }),
    ];
    ctx.onEnd(() => {
      for (const subscription of seen) subscription.unsubscribe();
    });
  }

  receive(message: ShardMessage): void {
    switch (message.type) {
      case "schedule":
        this.#awake = false;
        this.#schedule();
        return;
      case "settled":
        this.#settle(message.pod, message.node, message.result);
        return;
      default:
        assertNever(message);
    }
  }

  #seeNode(node: Node): void {
    const { table } = this.#cache;
    const info = computeNodeInfo(node);
    const row = table.rowOf(info.name);
    const before = row === undefined ? undefined : table.node(row);
    table.setNode(info);
    for (const event of nodeEvents(before, info)) this.#queue.happened(event, this.#now());
    this.#wake();
  }

  #seePod(pod: PodInfo): void {
    if (pod.nodeName !== "") {
      this.#queue.remove(pod.uid);
      if (this.#cache.confirm(pod)) this.#queue.happened("pod-freed", this.#now());
    } else if (!awaitsNode(pod) || shardOf(pod.uid, this.#args.shards) !== this.#args.shard) {
      this.#queue.remove(pod.uid);
    } else if (!this.#cache.isAssumed(pod.uid)) {
      // An assumed pod is bound or will be: the state we see here is older than that.
      this.#queue.put(pod, this.#now());
    }
    this.#wake();
  }

  #losePod(uid: string): void {
    this.#queue.remove(uid);
    if (this.#cache.remove(uid)) this.#queue.happened("pod-freed", this.#now());
    this.#wake();
  }

  #schedule(): void {
    const { random } = this.#ctx;
    this.#queue.flush(this.#now());
    for (let tried = 0; tried < batch && this.#binding < mostBinding; tried++) {
      const pod = this.#queue.pop();
      if (pod === undefined) break;
      const decision = decide(pod, this.#cache.table, random);
      if (decision.type === "node") this.#propose(pod, decision.node);
      else {
        this.#queue.park(pod.uid, decision.rejectedBy, this.#now());
        this.#report(pod, decision.message, decision.rejectedBy);
      }
    }
    this.#setAlarm();
    if (this.#queue.mayPop && this.#binding < mostBinding) this.#wake();
  }

  #propose(pod: PodInfo, node: string): void {
    this.#cache.assume(pod, node);
    this.#binding++;
    this.#askLedger(pod, node).then((result) =>
      this.#ctx.self.tell({ type: "settled", pod, node, result }),
    );
  }

  async #askLedger({ namespace, name, uid }: PodInfo, node: string): Promise<PodBound> {
    const request: BindPod = { namespace, name, uid, node };
    const subject = ledgerBindSubject(this.#args.principal);
    const { bus, clock, signal } = this.#ctx;
    const limits = { timeoutMs: 10_000 };
    for (const deadline = this.#now() + ledgerPatienceMs; ; ) {
      try {
        const answer = await bus.request(subject, JSON.stringify(request), limits);
        return JSON.parse(new TextDecoder().decode(answer.data)) as PodBound;
      } catch (error) {
        // It may be bound or not: the ledger will say so when it is asked again.
        const mayCome = this.#now() < deadline && !signal.aborted;
        if (!mayCome || !isBusError(error, "no-responders"))
          return { type: "refused", reasons: [errorMessage(error)] };
        await clock.sleep(ledgerPauseMs, signal).catch(() => undefined);
      }
    }
  }

  #settle(pod: PodInfo, node: string, result: PodBound): void {
    this.#binding--;
    if (result.type === "bound" || (result.type === "gone" && result.node === node)) {
      this.#queue.remove(pod.uid);
      if (result.type === "bound") this.#announce(pod, node);
    } else {
      if (result.type === "refused")
        this.#ctx.log.debug("Bind was refused", { pod: pod.key, node, reasons: result.reasons });
      this.#cache.forget(pod.uid);
      // Others may have been refused because of it.
      this.#queue.happened("pod-freed", this.#now());
      // What was seen of the pod while it was assumed was put aside.
      const seen = this.#pods.lister.get(pod.key);
      if (seen?.metadata.uid === pod.uid) this.#seePod(computePodInfo(seen));
      this.#queue.backOff(pod.uid, this.#now());
    }
    this.#wake();
  }

  #announce(pod: PodInfo, node: string): void {
    this.#ctx.log.info("Bound pod", { pod: pod.key, node });
    const message = `Successfully assigned ${pod.key} to ${node}`;
    const about = this.#pods.lister.get(pod.key);
    if (about) this.#recorder.normal(Pod, about, "Scheduled", message);
  }

  #report(pod: PodInfo, message: string, rejectedBy: ReadonlySet<string>): void {
    const about = this.#pods.lister.get(pod.key);
    if (about?.metadata.uid !== pod.uid) return;
    const unsupported = rejectedBy.has(unsupportedFields.name);
    const reason = unsupported ? "UnsupportedField" : "FailedScheduling";
    this.#recorder.warning(Pod, about, reason, message);
    const patch = unschedulablePatch(about, message, this.#ctx.clock.now());
    if (patch === undefined) return;
    this.#api
      .patch(Pod, pod.key, patch, { type: "strategic", subresource: "status" })
      .catch((error: unknown) => {
        const fields = { pod: pod.key, error: errorMessage(error) };
        this.#ctx.log.debug("Condition was not written", fields);
      });
  }

  #wake(): void {
    if (this.#awake) return;
    this.#awake = this.#ctx.self.tell({ type: "schedule" });
  }

  /** One timer for the earliest end of a wait; set anew each time, since it may just have fired. */
  #setAlarm(): void {
    this.#alarm?.dispose();
    const at = this.#queue.flush(this.#now());
    this.#alarm =
      at === undefined ? undefined : this.#ctx.after(at - this.#now(), { type: "schedule" });
  }

  #now(): number {
    return this.#ctx.clock.monotonic();
  }
}

/** FNV-1a over the uid: the same for every process, and even over random uids. */
export function shardOf(uid: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < uid.length; at++) hash = Math.imul(hash ^ uid.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shards;
}
