/**
 * Node lease: says every ten seconds that this node lives.
 *
 * Mailbox  renew                           its own mailbox, so that no other work of the kubelet is before it
 * Watches  nothing
 * Owns     the Lease kube-node-lease/<node>
 * Writes   coordination.k8s.io/leases create+update
 * Fails    api away: tries again every second; the node counts as lost 40 s after the last success
 * Scales   one per node
 */

import { isAlreadyExists, isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Lease } from "../../manifests/index.ts";
import type { ActorDefinition, Context } from "../../runtime/actor.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Api } from "../kit/client.ts";
import { keyIn } from "../kit/object.ts";
import { formatMicroTime } from "../kit/time.ts";

export interface NodeLeaseArgs {
  api: Api;
  nodeName: string;
  /** Undefined until the Node is registered. */
  nodeUid(): string | undefined;
}

const namespace = "kube-node-lease";
const durationSeconds = 40;
const renewIntervalMs = 10_000;
const retryIntervalMs = 1_000;

export const nodeLease: ActorDefinition<{ type: "renew" }, NodeLeaseArgs> = {
  name: "node-lease",
  start(ctx, args) {
    let lease: Lease | undefined;
    ctx.self.tell({ type: "renew" });
    return {
      async receive() {
        try {
          lease = await renew(ctx, args, lease);
          // Nodes that started together must not renew together for ever.
          const jitterMs = renewIntervalMs * 0.04 * ctx.random.next();
          ctx.after(renewIntervalMs + jitterMs, { type: "renew" });
        } catch (error) {
          ctx.log.debug("Lease not renewed", { error: errorMessage(error) });
          if (isConflict(error) || isNotFound(error) || isAlreadyExists(error)) lease = undefined;
          ctx.after(retryIntervalMs, { type: "renew" });
        }
      },
    };
  },
};

async function renew(
  { clock }: Context<unknown>,
  { api, nodeName, nodeUid }: NodeLeaseArgs,
  known: Lease | undefined,
): Promise<Lease> {
  const lease = known ?? (await fetchLease(api, nodeName));
  const uid = nodeUid();
  const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid: uid ?? "" };
  const spec = {
    holderIdentity: nodeName,
    leaseDurationSeconds: durationSeconds,
    renewTime: formatMicroTime(clock.now()),
  };
  const ownerReferences = uid ? [owner] : undefined;
  if (!lease) {
    const metadata = { name: nodeName, namespace, ownerReferences };
    return api.create(Lease, { metadata, spec });
  }
  const metadata = { ...lease.metadata, ...(ownerReferences ? { ownerReferences } : {}) };
  return api.update(Lease, { ...lease, metadata, spec: { ...lease.spec, ...spec } });
}

async function fetchLease(api: Api, nodeName: string): Promise<Lease | undefined> {
  try {
    return await api.get(Lease, keyIn(namespace, nodeName));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
