/**
 * Kubelet: makes this node run the Pods that are bound to it, and nothing else.
 *
 * Mailbox  pod | pod-deleted | runtime | engine | finished | begin
 * Watches  core/pods (of this node), core/nodes (its own), core/services; the container engine
 * Owns     a worker for each Pod, the node agent, the node's Lease, the read-only endpoint
 * Writes   core/pods/status patch; core/pods delete; core/nodes create+patch; core/nodes/status patch; coordination.k8s.io/leases create+update; core/serviceaccounts/token create; core/events
 * Fails    engine away: the Node is NotReady, pods are left alone. api away: pods run on. Crash: restart, adopt what runs by its labels.
 * Scales   one per node, bound to it
 */

import { Lease, Node, Pod, Service, ServiceAccount } from "../../manifests/index.ts";
import type { ActorDefinition, Behavior, Context, Ref } from "../../runtime/actor.ts";
import { assertNever, errorMessage } from "../../runtime/errors.ts";
import { type Api, createApi } from "../kit/client.ts";
import { createRecorder, eventWrites } from "../kit/events.ts";
import { createInformers, type Informer } from "../kit/informer.ts";
import { keyIn } from "../kit/object.ts";
import { create, del, patch, status, subresource, update, type Write } from "../kit/writes.ts";
import { isEnded } from "./actions.ts";
import { type Rejection, rejectPod } from "./admission.ts";
import type { KubeletConfig, NodeEnvironment } from "./environment.ts";
import { Images } from "./images.ts";
import { nodeLease } from "./lease.ts";
import { type NodeMessage, nodeAgent } from "./node.ts";
import { type PodWorkerMessage, podWorker } from "./pod-worker.ts";
import { metricsText, podList, statsSummary } from "./reports.ts";
import { RuntimeCache } from "./runtime-cache.ts";
import type { Endpoint } from "./server.ts";
import { serveStreams } from "./streams.ts";
import { Tokens } from "./tokens.ts";

export type KubeletMessage =
  | { type: "pod"; pod: Pod }
  | { type: "pod-deleted"; pod: Pod }
  /** Something of this pod changed in the engine. */
  | { type: "runtime"; uid: string }
  | { type: "engine"; problem: string | undefined }
  | { type: "finished"; uid: string }
  /** A cache was filled, or the Node appeared: perhaps all is there to begin. */
  | { type: "begin" };

export const kubeletWrites: readonly Write[] = [
  status(Pod),
  del(Pod),
  create(Node),
  patch(Node),
  status(Node),
  create(Lease),
  update(Lease),
  subresource(ServiceAccount, "token", ["create"]),
  ...eventWrites,
];

export const kubelet: ActorDefinition<KubeletMessage, KubeletConfig> = {
  name: "kubelet",
  start: (ctx, config) => new Kubelet(ctx, config),
};

interface Worker {
  ref: Ref<PodWorkerMessage>;
  rejection: Rejection | undefined;
}

class Kubelet implements Behavior<KubeletMessage> {
  readonly #ctx: Context<KubeletMessage>;
  readonly #config: KubeletConfig;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #services: Informer<Service>;
  readonly #env: NodeEnvironment;
  readonly #runtimes: RuntimeCache;
  readonly #agent: Ref<NodeMessage>;
  /** By uid: two Pods of the same name, one leaving and one coming, are two. */
  readonly #workers = new Map<string, Worker>();
  /** Ours are gone, the API still has them: somebody's finalizer. */
  readonly #finished = new Set<string>();
  #endpoint: Endpoint | undefined;
  #begun = false;

  constructor(ctx: Context<KubeletMessage>, config: KubeletConfig) {
    this.#ctx = ctx;
    this.#config = config;
    const { clock, log, bus, random, signal } = ctx;
    const { nodeName, principal, engine } = config;
    const api = createApi(bus, clock, { principal, writes: kubeletWrites, signal });
    const informers = createInformers(api, { clock, log });
    ctx.onEnd(() => informers.close());
    this.#pods = informers.of(Pod, { fieldSelector: `spec.nodeName=${nodeName}` });
    this.#nodes = informers.of(Node, { fieldSelector: `metadata.name=${nodeName}` });
    this.#services = (config.sharedInformers ?? informers).of(Service);
    this.#runtimes = new RuntimeCache(engine, clock, {
      onPodChanged: (uid) => ctx.self.tell({ type: "runtime", uid }),
      onHealth: (problem) => ctx.self.tell({ type: "engine", problem }),
    });
    const recorder = createRecorder(api, {
      component: "kubelet",
      host: nodeName,
      clock,
      random,
      log,
    });
    this.#env = {
      config,
      api,
      recorder,
      runtimes: this.#runtimes,
      images: new Images(engine, clock),
      tokens: new Tokens(api, clock, log),
      runtimePrefix: () => `${engine.name}://`,
      services: () => this.#services.lister.list(),
      node: () => this.#node(),
      admitted: () => this.#admitted(),
    };
    this.#agent = this.#spawnNode(api);
    this.#watch();
    this.#runtimes.start();
    ctx.onEnd(() => this.#runtimes.stop());
    this.#serve();
  }

  async receive(message: KubeletMessage): Promise<void> {
    switch (message.type) {
      case "pod":
        if (this.#begun) this.#onPod(message.pod);
        break;
      case "pod-deleted":
        this.#onPodDeleted(message.pod);
        break;
      case "runtime":
        this.#onRuntime(message.uid);
        break;
      case "engine":
        this.#onEngine(message.problem);
        break;
      case "finished":
        await this.#onFinished(message.uid);
        break;
      case "begin":
        await this.#beginIfReady();
        break;
      default:
        assertNever(message);
    }
  }

  #spawnNode(api: Api): Ref<NodeMessage> {
    const { nodeName } = this.#config;
    const nodeUid = (): string | undefined => this.#node()?.metadata.uid;
    this.#ctx.spawn(nodeLease, { api, nodeName, nodeUid });
    return this.#ctx.spawn(nodeAgent, {
      config: this.#config,
      api,
      node: () => this.#node(),
      problem: () => this.#runtimes.problem,
      engineKnown: () => this.#runtimes.looked,
      port: () => this.#endpoint?.port,
    });
  }

  #watch(): void {
    const { self } = this.#ctx;
    const begin = (): void => void self.tell({ type: "begin" });
    const pods = this.#pods.addHandlers({
      onAdd: (pod) => void self.tell({ type: "pod", pod }),
      onUpdate: (_, pod) => void self.tell({ type: "pod", pod }),
      onDelete: (pod) => void self.tell({ type: "pod-deleted", pod }),
    });
    const changed = (): void => {
      this.#agent.tell({ type: "changed" });
      begin();
    };
    const nodes = this.#nodes.addHandlers({
      onAdd: changed,
      onUpdate: changed,
      onDelete: changed,
    });
    this.#ctx.onEnd(() => {
      pods.unsubscribe();
      nodes.unsubscribe();
    });
    for (const informer of [this.#pods, this.#nodes, this.#services]) {
      informer.synced().then(begin, () => undefined);
    }
  }

  /** Everything known that a pod may depend on: pods are looked at, and what is left over is removed. */
  async #beginIfReady(): Promise<void> {
    if (this.#begun || !this.#runtimes.synced || !this.#node()?.status?.allocatable) return;
    const informers = [this.#pods, this.#nodes, this.#services];
    if (!informers.every(({ hasSynced }) => hasSynced)) return;
    this.#begun = true;
    const pods = this.#pods.lister.list();
    // Who came first is admitted first, as before the restart.
    pods.sort((a, b) => compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp));
    for (const pod of pods) this.#onPod(pod);
    for (const { uid } of this.#runtimes.pods()) this.#onRuntime(uid);
    await this.#removeLeftFolders();
  }

  async #removeLeftFolders(): Promise<void> {
    const { files } = this.#config;
    for (const uid of await files.listPods()) {
      if (this.#workers.has(uid)) continue;
      await files.removePod(uid).catch((error: unknown) => {
        this.#ctx.log.warn("Left folder not removed", { uid, error: errorMessage(error) });
      });
    }
  }

  #onPod(pod: Pod): void {
    const { uid = "" } = pod.metadata;
    const worker = this.#workers.get(uid);
    if (worker) worker.ref.tell({ type: "pod", pod });
    else if (!this.#finished.has(uid)) this.#spawnWorker(pod);
  }

  #spawnWorker(pod: Pod): void {
    const { uid = "", namespace = "", name } = pod.metadata;
    const rejection = this.#rejectionOf(pod);
    if (rejection) {
      this.#env.recorder.warning(Pod, pod, rejection.reason, rejection.message);
    }
    this.#startWorker({ uid, namespace, name }, rejection);
  }

  #startWorker(identity: { uid: string; namespace: string; name: string }, rejection?: Rejection) {
    const { uid, namespace, name } = identity;
    const args = {
      env: this.#env,
      identity,
      rejection,
      pod: () => {
        const pod = this.#pods.lister.get(keyIn(namespace, name));
        return pod?.metadata.uid === uid ? pod : undefined;
      },
      onFinished: () => void this.#ctx.self.tell({ type: "finished", uid }),
    };
    const ref = this.#ctx.spawn(podWorker, args, { name: uid });
    this.#workers.set(uid, { ref, rejection });
  }

  /** One that this node has taken before stays taken, whatever has become of the node. */
  #rejectionOf(pod: Pod): Rejection | undefined {
    const { uid = "", deletionTimestamp } = pod.metadata;
    const isOld = pod.status?.startTime !== undefined || this.#runtimes.get(uid) !== undefined;
    if (isOld || deletionTimestamp || isEnded(pod)) return undefined;
    const node = this.#node();
    return node && rejectPod(pod, node, this.#admitted());
  }

  #onPodDeleted(pod: Pod): void {
    const { uid = "" } = pod.metadata;
    this.#finished.delete(uid);
    this.#workers.get(uid)?.ref.tell({ type: "gone" });
  }

  #onRuntime(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker) worker.ref.tell({ type: "look" });
    else if (this.#begun) this.#adoptOrphan(uid);
  }

  /** What runs although no Pod asks for it is stopped; the worker finds that its Pod is gone. */
  #adoptOrphan(uid: string): void {
    const runtime = this.#runtimes.get(uid);
    if (!runtime || this.#finished.has(uid)) return;
    const { namespace, name } = runtime;
    const known = this.#pods.lister.get(keyIn(namespace, name));
    if (known?.metadata.uid === uid) return;
    this.#ctx.log.info("Removing pod that is not in the API", { pod: `${namespace}/${name}`, uid });
    this.#startWorker({ uid, namespace, name });
  }

  #onEngine(problem: string | undefined): void {
    if (problem) this.#ctx.log.warn("Container engine is unavailable", { problem });
    this.#agent.tell({ type: "engine" });
    this.#ctx.self.tell({ type: "begin" });
    if (problem !== undefined) return;
    for (const { ref } of this.#workers.values()) ref.tell({ type: "look" });
  }

  async #onFinished(uid: string): Promise<void> {
    const worker = this.#workers.get(uid);
    if (!worker) return;
    await worker.ref.stop();
    this.#workers.delete(uid);
    if (this.#pods.lister.list().some(({ metadata }) => metadata.uid === uid)) {
      this.#finished.add(uid);
    }
  }

  #node(): Node | undefined {
    return this.#nodes.lister.get(this.#config.nodeName);
  }

  #admitted(): Pod[] {
    return this.#pods.lister.list().filter((pod) => {
      const worker = this.#workers.get(pod.metadata.uid ?? "");
      return worker !== undefined && worker.rejection === undefined && !isEnded(pod);
    });
  }

  #serve(): void {
    const { bus, clock, log } = this.#ctx;
    const { nodeName, nodeIP, engine, dialer } = this.#config;
    const streams = serveStreams({
      bus,
      clock,
      log,
      nodeName,
      nodeIP,
      engine,
      dialer,
      pod: (namespace, name) => this.#pods.lister.get(keyIn(namespace, name)),
      runtime: async (uid) => {
        await this.#runtimes.refresh();
        return this.#runtimes.get(uid);
      },
    });
    this.#ctx.onEnd(() => streams.unsubscribe());
    const { endpoint: openEndpoint } = this.#config;
    const opened = openEndpoint?.({
      pods: () => podList(this.#pods.lister.list()),
      problem: () => this.#runtimes.problem,
      metrics: () => metricsText(this.#runtimes.pods(), this.#runtimes.problem),
      summary: async () => {
        const stats = await engine.stats();
        return statsSummary(nodeName, this.#runtimes.pods(), stats, clock.now());
      },
    });
    opened?.then(
      (endpoint) => {
        this.#endpoint = endpoint;
        this.#agent.tell({ type: "changed" });
      },
      (error: unknown) =>
        log.error("Read-only endpoint not opened", { error: errorMessage(error) }),
    );
    this.#ctx.onEnd(async () => {
      const endpoint = await opened?.catch(() => undefined);
      await endpoint?.close();
    });
  }
}

/** RFC 3339 times in UTC compare as text. */
function compare(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
