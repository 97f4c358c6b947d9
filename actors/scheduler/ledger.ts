/**
 * Ledger: says whether a pod still fits on a node, and commits the bind. Shards propose from what
 * they see, which may be old and overlap; here is one count, taken before any commit is sent.
 *
 * Mailbox  bind | unseen | settled | crashed  judged one at a time, committed many at a time
 * Watches  core/pods, core/nodes
 * Owns     what is on each node: as the API shows it, and the binds under way; rebuilt at takeover
 * Writes   core/pods/binding create, with the epoch of its ownership; nothing else
 * Fails    answer lost or api away: the same bind is sent until the answer is certain, and counts
 *          until then. Deposed: stops; the next owner reads what was committed before it judges.
 * Scales   one owner (Lease `ledger`), any number of candidates
 *
 * Differs from Kubernetes: upstream's binding subresource counts nothing, so that two schedulers
 * can overfill a node and the kubelet must refuse. Here a bind that no longer fits is refused,
 * whoever asks. Pods that are created with a nodeName never ask; they count on sight, and for
 * them the kubelet has the last word.
 */

import { ApiError, isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Node, Pod } from "../../manifests/index.ts";
import type { ActorDefinition, Context } from "../../runtime/actor.ts";
import type { BusMessage } from "../../runtime/bus.ts";
import type { Timer } from "../../runtime/clock.ts";
import { assertNever, errorMessage } from "../../runtime/errors.ts";
import { type Api, createApi, isDeposed } from "../kit/client.ts";
import type { Informer, Informers } from "../kit/informer.ts";
import { hasReached, keyIn } from "../kit/object.ts";
import type { Ownership } from "../kit/owned.ts";
import { subresource, type Write } from "../kit/writes.ts";
import { ledgerBindSubjects } from "../subjects.ts";
import { SchedulerCache } from "./cache.ts";
import type { BindPod, PodBound } from "./messages.ts";
import { computeNodeInfo } from "./node-info.ts";
import { takenPorts } from "./plugins/node-ports.ts";
import { insufficientResources } from "./plugins/node-resources-fit.ts";
import { computePodInfo, type PodInfo } from "./pod-info.ts";

export const ledgerWrites: readonly Write[] = [subresource(Pod, "binding", ["create"])];

export interface LedgerArgs {
  principal: string;
  informers: Informers;
  ownership: Ownership;
}

export type LedgerMessage =
  | { type: "bind"; request: BindPod; answer: Answer }
  | { type: "unseen"; uid: string }
  | { type: "settled"; pod: PodInfo; result: PodBound }
  | { type: "crashed"; error: unknown };

type Answer = (result: PodBound) => void;

/** How long a bind may wait for the ledger's own informer to show a pod that others see. */
const unseenPatienceMs = 2_000;
const firstPauseMs = 100;
const longestPauseMs = 2_000;

export const ledger: ActorDefinition<LedgerMessage, LedgerArgs> = {
  name: "ledger",
  async start(ctx, { principal, informers, ownership }) {
    const api = createApi(ctx.bus, ctx.clock, {
      principal,
      writes: ledgerWrites,
      epoch: () => ownership.epoch,
      onDeposed: () => ownership.deposed(),
      signal: ctx.signal,
    });
    const pods = informers.of(Pod);
    const nodes = informers.of(Node);
    await nodes.synced();
    await caughtUp(ctx, api, pods);
    return new Ledger(ctx, api, pods, nodes);
  },
};

/**
 * Resolves once the informer shows every bind that was committed before. The epoch was written
 * earlier still, so that the binds of an earlier owner are either seen here or will be refused.
 * Deletions may be seen late: what is counted too long is only unavailable, never given twice.
 */
async function caughtUp(ctx: Context<LedgerMessage>, api: Api, pods: Informer<Pod>): Promise<void> {
  await pods.synced();
  const { items } = await api.list(Pod);
  const newest = items.reduce((most, { metadata: { resourceVersion = "" } }) => {
    return hasReached(most, resourceVersion) ? most : resourceVersion;
  }, "");
  await new Promise<void>((resolve, reject) => {
    const seen = pods.addHandlers({ onAdvance: check });
    function check(): void {
      if (!hasReached(pods.revision, newest)) return;
      seen.unsubscribe();
      resolve();
    }
    ctx.onEnd(() => {
      seen.unsubscribe();
      reject(new Error("the ledger ended before it had caught up"));
    });
    check();
  });
}

class Ledger {
  readonly #ctx: Context<LedgerMessage>;
  readonly #api: Api;
  readonly #pods: Informer<Pod>;
  readonly #cache = new SchedulerCache();
  /** Binds under way, by uid, with everybody who waits for the outcome. */
  readonly #binding = new Map<string, { node: string; answers: Answer[] }>();
  /** Binds of pods that our informer has not shown yet, by uid. */
  readonly #unseen = new Map<string, { timer: Timer; waiting: [BindPod, Answer][] }>();

  constructor(ctx: Context<LedgerMessage>, api: Api, pods: Informer<Pod>, nodes: Informer<Node>) {
    this.#ctx = ctx;
    this.#api = api;
    this.#pods = pods;
    const { table } = this.#cache;
    const seePod = (pod: Pod) => this.#seePod(computePodInfo(pod));
    const seen = [
      nodes.addHandlers({
        onAdd: (node) => table.setNode(computeNodeInfo(node)),
        onUpdate: (_, node) => table.setNode(computeNodeInfo(node)),
        onDelete: (node) => table.removeNode(node.metadata.name ?? ""),
      }),
      pods.addHandlers({
        onAdd: seePod,
        onUpdate: (_, pod) => seePod(pod),
        onDelete: (pod) => void this.#cache.remove(pod.metadata.uid ?? ""),
      }),
      ctx.bus.subscribe(ledgerBindSubjects, (message) => this.#accept(message), {
        queue: "ledger",
      }),
    ];
    ctx.onEnd(() => {
      for (const subscription of seen) subscription.unsubscribe();
    });
  }

  receive(message: LedgerMessage): void {
    switch (message.type) {
      case "bind":
        this.#bind(message.request, message.answer);
        return;
      case "unseen":
        this.#giveUpSight(message.uid);
        return;
      case "settled":
        this.#settle(message.pod, message.result);
        return;
      case "crashed":
        throw message.error;
      default:
        assertNever(message);
    }
  }

  #accept(message: BusMessage): void {
    const answer: Answer = (result) => message.respond(JSON.stringify(result));
    const request = decodeRequest(message.data);
    if (request) this.#ctx.self.tell({ type: "bind", request, answer });
    else answer({ type: "refused", reasons: ["the request is not a BindPod"] });
  }

  #seePod(pod: PodInfo): void {
    if (pod.nodeName !== "") this.#cache.confirm(pod);
    const unseen = this.#unseen.get(pod.uid);
    if (unseen === undefined) return;
    this.#unseen.delete(pod.uid);
    unseen.timer.dispose();
    for (const [request, answer] of unseen.waiting)
      this.#ctx.self.tell({ type: "bind", request, answer });
  }

  #bind(request: BindPod, answer: Answer): void {
    const underWay = this.#binding.get(request.uid);
    if (underWay) {
      underWay.answers.push(answer);
      return;
    }
    const seen = this.#pods.lister.get(keyIn(request.namespace, request.name));
    if (seen === undefined) {
      this.#awaitSight(request, answer);
      return;
    }
    const pod = computePodInfo(seen);
    const verdict = judge(this.#cache, pod, request);
    if (verdict !== "fits") {
      answer(verdict);
      return;
    }
    this.#cache.assume(pod, request.node);
    this.#binding.set(pod.uid, { node: request.node, answers: [answer] });
    this.#commit(pod, request.node).then(
      (result) => this.#ctx.self.tell({ type: "settled", pod, result }),
      (error: unknown) => {
        if (!this.#ctx.signal.aborted) this.#ctx.self.tell({ type: "crashed", error });
      },
    );
  }

  /** Shards may see a pod some milliseconds before we do, and only what we see is counted right. */
  #awaitSight(request: BindPod, answer: Answer): void {
    const { uid } = request;
    const known = this.#unseen.get(uid);
    if (known) known.waiting.push([request, answer]);
    else {
      const timer = this.#ctx.after(unseenPatienceMs, { type: "unseen", uid });
      this.#unseen.set(uid, { timer, waiting: [[request, answer]] });
    }
  }

  #giveUpSight(uid: string): void {
    const { waiting } = this.#unseen.get(uid) ?? { waiting: [] };
    this.#unseen.delete(uid);
    for (const [, answer] of waiting)
      answer({ type: "refused", reasons: ["the ledger has not seen the pod yet"] });
  }

  #settle(pod: PodInfo, result: PodBound): void {
    const underWay = this.#binding.get(pod.uid);
    this.#binding.delete(pod.uid);
    // A bound pod stays assumed until the informer shows it.
    if (result.type !== "bound") this.#cache.forget(pod.uid);
    for (const answer of underWay?.answers ?? []) answer(result);
    if (result.type === "bound")
      this.#ctx.log.debug("Bound pod", { pod: pod.key, node: underWay?.node });
  }

  /** Sends the bind until it is certain whether it was done. Rejects when deposed or stopped. */
  async #commit(pod: PodInfo, node: string): Promise<PodBound> {
    const { clock, signal } = this.#ctx;
    const body = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace: pod.namespace, name: pod.name, uid: pod.uid },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    // Whether an attempt may still land after all: then only the pod itself can end the matter.
    let open = false;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      try {
        await this.#api.createSubresource(Pod, pod.key, "binding", body);
        return { type: "bound" };
      } catch (error) {
        signal.throwIfAborted();
        if (isDeposed(error)) throw error;
        const outcome = isConflict(error)
          ? await this.#outcome(pod, node)
          : isNotFound(error) && ({ type: "gone" } as const);
        if (outcome) return outcome;
        if (isTransient(error)) open = true;
        else if (!open) return { type: "refused", reasons: [errorMessage(error)] };
      }
      await clock.sleep(pauseMs, signal);
    }
  }

  /**
   * A conflict may be the echo of our own bind whose answer was lost: the pod itself knows.
   * Undefined when it is on no node yet, or does not say.
   */
  async #outcome(pod: PodInfo, node: string): Promise<PodBound | undefined> {
    try {
      const { metadata, spec } = await this.#api.get(Pod, pod.key);
      if (metadata.uid !== pod.uid || (metadata.deletionTimestamp && !spec.nodeName))
        return { type: "gone" };
      if (spec.nodeName === node) return { type: "bound" };
      return spec.nodeName ? { type: "gone", node: spec.nodeName } : undefined;
    } catch (error) {
      this.#ctx.signal.throwIfAborted();
      if (isNotFound(error)) return { type: "gone" };
      if (isTransient(error)) return undefined;
      throw error;
    }
  }
}

/** What the counts say to a bind. */
export function judge(cache: SchedulerCache, pod: PodInfo, request: BindPod): "fits" | PodBound {
  if (pod.uid !== request.uid) return { type: "gone" };
  const placed = cache.nodeOf(pod.uid) ?? pod.nodeName;
  if (placed !== "") return { type: "gone", node: placed };
  if (pod.terminating || pod.terminal) return { type: "gone" };
  const row = cache.table.rowOf(request.node);
  if (row === undefined || cache.table.node(row) === undefined)
    return { type: "refused", reasons: [`node "${request.node}" not found`] };
  const target = { table: cache.table, row };
  const reasons = [
    ...(insufficientResources(pod, target) ?? []),
    ...(takenPorts(pod, target) ?? []),
  ];
  return reasons.length > 0 ? { type: "refused", reasons } : "fits";
}

/** The request may have been carried out, may be later, or not at all. */
function isTransient(error: unknown): boolean {
  return error instanceof ApiError && (error.code >= 500 || error.code === 429);
}

function decodeRequest(data: Uint8Array): BindPod | undefined {
  try {
    const request = JSON.parse(new TextDecoder().decode(data)) as Partial<BindPod> | null;
    const { namespace, name, uid, node } = request ?? {};
    return namespace && name && uid && node ? { namespace, name, uid, node } : undefined;
  } catch {
    return undefined;
  }
}
