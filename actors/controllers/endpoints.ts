/**
 * Endpoints controller: the older form of EndpointSlices, which `kubectl get endpoints` and
 * `kubectl describe service` read.
 *
 * Mailbox  reconcile(key)                  the key of a Service; repeats coalesce
 * Watches  core/services, core/pods (all Services that select them), core/endpoints
 * Owns     nothing that is not in the store
 * Writes   core/endpoints create+update+delete
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `endpoints`). A deposed one's writes are refused by its epoch.
 */

import equal from "fast-deep-equal";
import { isNotFound } from "../../manifests/api-error.ts";
import {
  type EndpointAddress,
  type EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from "../../manifests/index.ts";
import { defineController, watch } from "../kit/controller.ts";
import { create, del, update } from "../kit/writes.ts";
import { servicesOf } from "./endpoint-slice.ts";
import { isFinished, isReady } from "./pods.ts";
import {
  addressOf,
  addressTypesOf,
  changesEndpoint,
  headlessLabel,
  hostnameOf,
  isHeadless,
  isSelecting,
  portsOf,
  selectsPod,
  withoutUndefined,
} from "./service-endpoints.ts";
import { isNamespaceTerminating } from "./status.ts";

/** Upstream's limit, said in an annotation when it is reached. */
const longest = 1_000;
const overCapacity = "endpoints.kubernetes.io/over-capacity";

export const endpoints = defineController({
  name: "endpoints",
  watches: [
    watch(Service),
    watch(Pod, { keysOf: servicesOf, matters: changesEndpoint }),
    watch(Endpoints),
  ],
  writes: [create(Endpoints), update(Endpoints), del(Endpoints)],
  options: { workers: 5 },
  async reconcile(key, { api, lister }) {
    const service = lister(Service).get(key);
    const existing = lister(Endpoints).get(key);
    if (!service) {
      if (existing && isOurs(existing)) await api.delete(Endpoints, key).catch(ignoreNotFound);
      return;
    }
    if (!isSelecting(service) || service.metadata.deletionTimestamp) return;
    const pods = lister(Pod)
      .inNamespace(service.metadata.namespace ?? "")
      .filter((pod) => selectsPod(service, pod));
    const wanted = computeEndpoints(service, pods, existing);
    if (existing && same(existing, wanted)) return;
    try {
      await (existing ? api.update(Endpoints, wanted) : api.create(Endpoints, wanted));
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
  },
});

/** Those of Services without a selector are anybody's, and stay. Upstream marks its own since v1.33. */
const managedByLabel = "endpoints.kubernetes.io/managed-by";
const managedBy = "endpoint-controller";

function isOurs({ metadata }: Endpoints): boolean {
  return metadata.labels?.[managedByLabel] === managedBy;
}

export function computeEndpoints(
  service: Service,
  pods: readonly Pod[],
  existing: Endpoints | undefined,
): Endpoints {
  const { name, namespace, labels } = service.metadata;
  const { subsets, truncated } = computeSubsets(service, pods);
  return {
    metadata: {
      ...existing?.metadata,
      name,
      namespace,
      labels: {
        ...labels,
        [managedByLabel]: managedBy,
        ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
      },
      annotations: truncated ? { [overCapacity]: "truncated" } : {},
    },
    subsets,
  };
}

function computeSubsets(
  service: Service,
  pods: readonly Pod[],
): { subsets: EndpointSubset[]; truncated: boolean } {
  const [family = "IPv4"] = addressTypesOf(service);
  const unready = service.spec.publishNotReadyAddresses ?? false;
  const subsets = new Map<string, EndpointSubset>();
  let count = 0;
  for (const pod of pods) {
    const ip = addressOf(pod, family);
    if (!ip || isFinished(pod.status?.phase)) continue;
    if (pod.metadata.deletionTimestamp && !unready) continue;
    if (++count > longest) continue;
    const ports = portsOf(service, pod);
    const id = JSON.stringify(ports);
    const subset: EndpointSubset = subsets.get(id) ?? { ports };
    const side = unready || isReady(pod) ? "addresses" : "notReadyAddresses";
    subset[side] = [...(subset[side] ?? []), computeAddress(service, pod, ip)];
    subsets.set(id, subset);
  }
  return { subsets: [...subsets.values()].map(sorted), truncated: count > longest };
}

function computeAddress(service: Service, pod: Pod, ip: string): EndpointAddress {
  const { name, namespace, uid } = pod.metadata;
  return withoutUndefined({
    ip,
    hostname: hostnameOf(service, pod),
    nodeName: pod.spec.nodeName,
    targetRef: { kind: "Pod", namespace, name, uid },
  });
}

/** By address, so that the order in which pods appear makes no difference. */
function sorted({ addresses, notReadyAddresses, ports }: EndpointSubset): EndpointSubset {
  const byIp = (a: EndpointAddress, b: EndpointAddress) => (a.ip < b.ip ? -1 : 1);
  return withoutUndefined({
    addresses: addresses?.sort(byIp),
    notReadyAddresses: notReadyAddresses?.sort(byIp),
    ports: ports?.length ? ports : undefined,
  });
}

function same(a: Endpoints, b: Endpoints): boolean {
  const parts = ({ metadata, subsets }: Endpoints) => [
    metadata.labels ?? {},
    metadata.annotations ?? {},
    subsets ?? [],
  ];
  return equal(parts(a), parts(b));
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
