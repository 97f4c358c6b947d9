/**
 * EndpointSlice controller: keeps, for each Service with a selector, slices of where its Pods are.
 *
 * Mailbox  reconcile(key)                  the key of a Service; repeats coalesce
 * Watches  core/services, core/pods (all Services that select them), discovery.k8s.io/endpointslices, core/nodes (zones)
 * Owns     nothing that is not in the store
 * Writes   discovery.k8s.io/endpointslices create+update+delete
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `endpoint-slice`). A deposed one's writes are refused by its epoch.
 *
 * Differs from Kubernetes: no annotation with the time of the last trigger, no topology hints.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import { EndpointSlice, Node, Pod, Service } from "../../manifests/index.ts";
import { defineController, type Listers, type ReconcileContext, watch } from "../kit/controller.ts";
import { type Key, keyIn, keyOf } from "../kit/object.ts";
import { create, del, update } from "../kit/writes.ts";
import { computeSlices } from "./endpoint-slice-packing.ts";
import { controllerReference } from "./ownership.ts";
import {
  changesEndpoint,
  computeGroups,
  headlessLabel,
  isHeadless,
  isSelecting,
  selectsPod,
} from "./service-endpoints.ts";
import { isNamespaceTerminating, sameStatus } from "./status.ts";

export const serviceNameLabel = "kubernetes.io/service-name";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
export const managedBy = "endpointslice-controller.k8s.io";
const zoneLabel = "topology.kubernetes.io/zone";

export const endpointSlice = defineController({
  name: "endpoint-slice",
  watches: [
    watch(Service),
    watch(Pod, { keysOf: servicesOf, matters: changesEndpoint }),
    watch(EndpointSlice, {
      keysOf: (slice) => serviceKeys(slice),
      indexes: [serviceKeys],
    }),
    watch(Node, { keysOf: () => [] }),
  ],
  writes: [create(EndpointSlice), update(EndpointSlice), del(EndpointSlice)],
  options: { workers: 5 },
  async reconcile(key, ctx) {
    const service = ctx.lister(Service).get(key);
    const ours = ctx.lister(EndpointSlice).by(serviceKeys, key);
    const kept = service && !service.metadata.deletionTimestamp && isSelecting(service);
    if (!kept) {
      // A Service that lost its selector may have been given slices by hand: they are not ours.
      if (!service || service.spec.type === "ExternalName") await remove(ours, ctx);
      return;
    }
    await write(service, ours, ctx);
  },
});

/** Services that the pod is behind. */
export function servicesOf(pod: Pod, { lister }: Listers): Key[] {
  return lister(Service)
    .inNamespace(pod.metadata.namespace ?? "")
    .filter((service) => selectsPod(service, pod))
    .map(keyOf);
}

function serviceKeys({ metadata }: EndpointSlice): Key[] {
  const { labels = {}, namespace } = metadata;
  const name = labels[serviceNameLabel];
  return name && labels[managedByLabel] === managedBy ? [keyIn(namespace, name)] : [];
}

async function write(
  service: Service,
  existing: readonly EndpointSlice[],
  ctx: ReconcileContext,
): Promise<void> {
  const { api, lister } = ctx;
  const { name, namespace = "" } = service.metadata;
  const pods = lister(Pod)
    .inNamespace(namespace)
    .filter((pod) => selectsPod(service, pod));
  const zoneOf = (node: string) => lister(Node).get(node)?.metadata.labels?.[zoneLabel];
  const changes = computeSlices(computeGroups(service, pods, zoneOf), existing);
  const labels = computeLabels(service);
  const relabeled = existing.filter(
    (slice) =>
      !sameStatus(slice.metadata.labels ?? {}, labels) &&
      !changes.remove.includes(slice) &&
      !changes.update.some(({ metadata }) => metadata.uid === slice.metadata.uid),
  );
  try {
    for (const slice of changes.create) {
      const ownerReferences = [controllerReference(Service, service)];
      const metadata = { name: "", generateName: `${name}-`, namespace, labels, ownerReferences };
      await api.create(EndpointSlice, { ...slice, metadata });
    }
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    throw error;
  }
  for (const slice of [...changes.update, ...relabeled]) {
    await api.update(EndpointSlice, { ...slice, metadata: { ...slice.metadata, labels } });
  }
  await remove(changes.remove, ctx);
}

async function remove(slices: readonly EndpointSlice[], { api }: ReconcileContext): Promise<void> {
  for (const slice of slices) {
    const { uid } = slice.metadata;
    await api.delete(EndpointSlice, keyOf(slice), { uid }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

/** The Service's own labels, and those by which a slice is found. */
function computeLabels(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedBy,
    ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
  };
}
