/**
 * Node lifecycle controller: notices Nodes that fell silent, and taints what is not fit for pods.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  core/nodes, coordination.k8s.io/leases (those of nodes), core/pods
 * Owns     when each Node was last heard of; begun anew on restart, which grants a full grace period
 * Writes   core/nodes update; core/nodes/status update; core/pods/status patch
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. During an outage no grace period runs.
 * Scales   one owner (Lease `node-lifecycle`). A deposed one's writes are refused by its epoch.
 *
 * Differs from Kubernetes: pods are not evicted from a Node that stays away.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import { Lease, Node, Pod } from "../../manifests/index.ts";
import {
  defineController,
  type Outcome,
  type ReconcileContext,
  requeueAfter,
  watch,
} from "../kit/controller.ts";
import { keyIn, keyOf } from "../kit/object.ts";
import { formatTime } from "../kit/time.ts";
import { status, update } from "../kit/writes.ts";
import {
  computeSilentConditions,
  computeTaints,
  readyStatus,
} from "./node-lifecycle-conditions.ts";
import { Heartbeats } from "./node-lifecycle-heartbeats.ts";
import { byNode, isReady } from "./pods.ts";

const graceMs = 40_000;
const monitorMs = 5_000;
const leaseNamespace = "kube-node-lease";

interface Memory {
  heartbeats: Heartbeats;
  /** Ready as it was in the last pass, for Events that tell of a change. */
  ready: Map<string, string | undefined>;
}

type Pass = ReconcileContext<Memory>;

export const nodeLifecycle = defineController<Memory>({
  name: "node-lifecycle",
  watches: [
    watch(Node),
    watch(Lease, {
      keysOf: ({ metadata }) => (metadata.namespace === leaseNamespace ? [metadata.name] : []),
      // A renewal is only noted by the next pass, which comes by itself.
      matters: () => false,
    }),
    watch(Pod, {
      keysOf: () => [],
      indexes: [byNode],
    }),
  ],
  writes: [update(Node), status(Node), status(Pod)],
  state: () => ({ heartbeats: new Heartbeats(), ready: new Map() }),
  async reconcile(key, ctx) {
    const node = ctx.lister(Node).get(key);
    if (!node) {
      ctx.state.heartbeats.forget(key);
      ctx.state.ready.delete(key);
      return;
    }
    return await watchOver(node, ctx);
  },
});

async function watchOver(found: Node, ctx: Pass): Promise<Outcome> {
  const { clock, state, events } = ctx;
  const key = keyOf(found);
  const node = isSilent(found, ctx) ? await markSilent(found, ctx) : found;
  const taints = computeTaints(node, formatTime(clock.now()));
  if (taints) {
    await ctx.api.update(Node, { ...node, spec: { ...node.spec, taints } });
  }
  const before = state.ready.get(key);
  const ready = readyStatus(node);
  if (!state.ready.has(key)) {
    const message = `Node ${key} event: Registered Node ${key} in Controller`;
    events.normal(Node, node, "RegisteredNode", message);
  } else if (before === "True" && ready !== "True") {
    events.normal(Node, node, "NodeNotReady", `Node ${key} status is now: NodeNotReady`);
  }
  if (ready !== undefined && ready !== "True") await markPods(key, ctx);
  state.ready.set(key, ready);
  return requeueAfter(monitorMs);
}

function isSilent(node: Node, { clock, lister, revision, state }: Pass): boolean {
  const { name } = node.metadata;
  const lease = lister(Lease).get(keyIn(leaseNamespace, name));
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  // Either proves life: the Lease, or a status that the kubelet posted.
  const beat = `${lease?.spec.renewTime ?? ""} ${ready?.lastHeartbeatTime ?? ""}`;
  state.heartbeats.advance(clock.monotonic(), revision(Lease));
  return state.heartbeats.silentMs(name, beat) > graceMs;
}

async function markSilent(node: Node, { api, clock }: Pass): Promise<Node> {
  const before = node.status?.conditions ?? [];
  const time = formatTime(clock.now());
  const conditions = computeSilentConditions(before, time, node.metadata.creationTimestamp);
  const unchanged =
    conditions.length === before.length && conditions.every((one, at) => one === before[at]);
  if (unchanged) return node;
  return await api.updateStatus(Node, { ...node, status: { ...node.status, conditions } });
}

/** Nobody is left to say that its pods do not serve; Services must stop sending there. */
async function markPods(name: string, { api, lister, clock, events }: Pass): Promise<void> {
  for (const pod of lister(Pod).by(byNode, name)) {
    if (!isReady(pod)) continue;
    const lastTransitionTime = formatTime(clock.now());
    const condition = { type: "Ready", status: "False", lastTransitionTime };
    // The kubelet may be back and have said otherwise before a request that arrives late.
    const { uid, resourceVersion } = pod.metadata;
    const change = { metadata: { uid, resourceVersion }, status: { conditions: [condition] } };
    await api
      .patch(Pod, keyOf(pod), change, { type: "strategic", subresource: "status" })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    events.warning(Pod, pod, "NodeNotReady", "Node is not ready");
  }
}
