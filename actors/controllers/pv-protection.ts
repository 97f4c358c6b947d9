/**
 * PV protection controller: a deleted PersistentVolume goes once it is bound to no claim.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  core/persistentvolumes
 * Owns     nothing that is not in the store
 * Writes   core/persistentvolumes update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `pv-protection`). A deposed one's writes are refused by its epoch.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import { PersistentVolume } from "../../manifests/index.ts";
import { defineController, watch } from "../kit/controller.ts";
import { update } from "../kit/writes.ts";

const finalizer = "kubernetes.io/pv-protection";

export const pvProtection = defineController({
  name: "pv-protection",
  watches: [watch(PersistentVolume, { matters: (_before, after) => isGoing(after) })],
  writes: [update(PersistentVolume)],
  async reconcile(key, { lister, api }) {
    const volume = lister(PersistentVolume).get(key);
    if (!volume || !isGoing(volume) || volume.status?.phase === "Bound") return;
    const { finalizers = [] } = volume.metadata;
    const metadata = {
      ...volume.metadata,
      finalizers: finalizers.filter((name) => name !== finalizer),
    };
    await api.update(PersistentVolume, { ...volume, metadata }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  },
});

function isGoing({ metadata }: PersistentVolume): boolean {
  return Boolean(metadata.deletionTimestamp && metadata.finalizers?.includes(finalizer));
}
