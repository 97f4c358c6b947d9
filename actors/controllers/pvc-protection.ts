/**
 * PVC protection controller: a deleted PersistentVolumeClaim goes once no Pod on a Node uses it.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  core/persistentvolumeclaims, core/pods (the claims that they use)
 * Owns     nothing that is not in the store
 * Writes   core/persistentvolumeclaims update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `pvc-protection`). A deposed one's writes are refused by its epoch.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import { PersistentVolumeClaim, Pod } from "../../manifests/index.ts";
import { defineController, watch } from "../kit/controller.ts";
import { type Key, keyIn } from "../kit/object.ts";
import { update } from "../kit/writes.ts";

const finalizer = "kubernetes.io/pvc-protection";

export const pvcProtection = defineController({
  name: "pvc-protection",
  watches: [
    watch(PersistentVolumeClaim, { matters: (_before, after) => isGoing(after) }),
    watch(Pod, { keysOf: claimsOf, matters: () => false }),
  ],
  writes: [update(PersistentVolumeClaim)],
  async reconcile(key, { lister, api }) {
    const claim = lister(PersistentVolumeClaim).get(key);
    if (!claim || !isGoing(claim)) return;
    const { namespace, finalizers = [] } = claim.metadata;
    // From the API itself: a pod that the cache does not show yet must not lose its data.
    const { items } = await api.list(Pod, { namespace });
    if (items.some((pod) => pod.spec.nodeName && claimsOf(pod).includes(key))) return;
    const metadata = {
      ...claim.metadata,
      finalizers: finalizers.filter((name) => name !== finalizer),
    };
    await api.update(PersistentVolumeClaim, { ...claim, metadata }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  },
});

function isGoing({ metadata }: PersistentVolumeClaim): boolean {
  return Boolean(metadata.deletionTimestamp && metadata.finalizers?.includes(finalizer));
}

/** By name, and those made for the pod's own ephemeral volumes. */
function claimsOf({ metadata, spec }: Pod): Key[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    const own = ephemeral ? `${metadata.name}-${name}` : undefined;
    const claim = persistentVolumeClaim?.claimName ?? own;
    return claim ? [keyIn(metadata.namespace, claim)] : [];
  });
}
