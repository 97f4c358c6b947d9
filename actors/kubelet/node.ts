/**
 * Node agent: registers this machine as a Node and keeps its status true.
 *
 * Mailbox  tick | engine | changed         ticks every 10 s; the engine's health and the Node's changes at once
 * Watches  core/nodes (its own, by name; through the kubelet's informer)
 * Owns     the Node object of this machine
 * Writes   core/nodes create+patch; core/nodes/status patch
 * Fails    api away: tries again every second. Node deleted: registers it again.
 * Scales   one per node
 */

import equal from "fast-deep-equal/es6/index.js";
import { isAlreadyExists } from "../../manifests/api-error.ts";
import { Node } from "../../manifests/index.ts";
import type { ActorDefinition, Behavior, Context } from "../../runtime/actor.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Api } from "../kit/client.ts";
import type { KubeletConfig } from "./environment.ts";
import { computeNodeStatus, newNode, nodeLabels, withoutHeartbeats } from "./node-status.ts";
import { mergePatch } from "./status-writer.ts";

export type NodeMessage = { type: "tick" } | { type: "engine" } | { type: "changed" };

export interface NodeArgs {
  config: KubeletConfig;
  api: Api;
  /** The Node as the kubelet's informer shows it. */
  node(): Node | undefined;
  /** Of the container engine, as it is now: a message may still be on its way. */
  problem(): string | undefined;
  /** Whether the engine has answered, or failed to, since the process began. */
  engineKnown(): boolean;
  port(): number | undefined;
}

const tickIntervalMs = 10_000;
const retryIntervalMs = 1_000;
/** A status that says nothing new is written this often; the Lease says more often that we live. */
const reportIntervalMs = 300_000;

export const nodeAgent: ActorDefinition<NodeMessage, NodeArgs> = {
  name: "node",
  start: (ctx, args) => new NodeAgent(ctx, args),
};

class NodeAgent implements Behavior<NodeMessage> {
  readonly #ctx: Context<NodeMessage>;
  readonly #args: NodeArgs;
  #runtimeVersion = "";
  #reportedAt = -Infinity;
  readonly #startedAt: number;

  constructor(ctx: Context<NodeMessage>, args: NodeArgs) {
    this.#ctx = ctx;
    this.#args = args;
    this.#startedAt = ctx.clock.monotonic();
    ctx.self.tell({ type: "tick" });
  }

  async receive(message: NodeMessage): Promise<void> {
    let nextMs = tickIntervalMs;
    try {
      await this.#report();
    } catch (error) {
      this.#ctx.log.debug("Node not reported", { error: errorMessage(error) });
      nextMs = retryIntervalMs;
    }
    if (message.type === "tick") this.#ctx.after(nextMs, { type: "tick" });
    else if (nextMs === retryIntervalMs) this.#ctx.after(nextMs, { type: "changed" });
  }

  async #report(): Promise<void> {
    const { api, config } = this.#args;
    const node = this.#args.node() ?? (await this.#register());
    await this.#correct(node);
    if (!this.#mayJudge()) return;
    const problem = this.#args.problem();
    if (problem === undefined && !this.#runtimeVersion) {
      const version = await config.engine.version().catch(() => undefined);
      this.#runtimeVersion = version?.runtimeVersion ?? "";
    }
    const now = this.#ctx.clock.now();
    const status = computeNodeStatus(config, node.status, {
      now,
      problem,
      runtimeVersion: this.#runtimeVersion,
      port: this.#args.port(),
    });
    const saysNew = !equal(withoutHeartbeats(status), withoutHeartbeats(node.status));
    const monotonic = this.#ctx.clock.monotonic();
    if (!saysNew && monotonic - this.#reportedAt < reportIntervalMs) return;
    const change = mergePatch(node.status ?? {}, status);
    if (change) {
      const options = { type: "merge", subresource: "status" } as const;
      // Only on what it was computed from: a request that arrives late must not undo a newer one.
      const { resourceVersion } = node.metadata;
      const patch = { metadata: { resourceVersion }, status: change };
      await api.patch(Node, config.nodeName, patch, options);
    }
    this.#reportedAt = monotonic;
  }

  /**
   * An engine that was not looked at yet is no broken one: a kubelet that starts again must not
   * say so, or every pod of its Node would be taken out of the Services.
   *
   * Differs from Kubernetes, whose kubelet is NotReady until its first look is done.
   */
  #mayJudge(): boolean {
    const waitedMs = this.#ctx.clock.monotonic() - this.#startedAt;
    return this.#args.engineKnown() || waitedMs >= tickIntervalMs;
  }

  async #register(): Promise<Node> {
    const { api, config } = this.#args;
    try {
      const created = await api.create(Node, newNode(config));
      this.#ctx.log.info("Registered node", { node: config.nodeName });
      return created;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return api.get(Node, config.nodeName);
    }
  }

  /** A Node that was there before: our labels, and its pod CIDR if it has none. */
  async #correct(node: Node): Promise<void> {
    const { api, config } = this.#args;
    const labels = nodeLabels(config);
    const missing = Object.entries(labels).some(([key, value]) => {
      return node.metadata.labels?.[key] !== value;
    });
    const { podCIDR } = config;
    const lacksCIDR = !node.spec?.podCIDR;
    if (!missing && !lacksCIDR) return;
    const patch = {
      ...(missing ? { metadata: { labels } } : {}),
      ...(lacksCIDR ? { spec: { podCIDR, podCIDRs: [podCIDR] } } : {}),
    };
    await api.patch(Node, config.nodeName, patch, { type: "merge" });
  }
}
