/**
 * ServiceAccount controller: a ServiceAccount `default` in every Namespace.
 *
 * Mailbox  reconcile(key)                  the name of a Namespace; repeats coalesce
 * Watches  core/namespaces, core/serviceaccounts (their Namespace)
 * Owns     nothing that is not in the store
 * Writes   core/serviceaccounts create
 * Fails    api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `service-account`). Two at once would find it made already.
 */

import { isAlreadyExists } from "../../manifests/api-error.ts";
import { Namespace, ServiceAccount } from "../../manifests/index.ts";
import { defineController, watch } from "../kit/controller.ts";
import { keyIn } from "../kit/object.ts";
import { create } from "../kit/writes.ts";
import { isNamespaceTerminating } from "./status.ts";

const name = "default";

export const serviceAccount = defineController({
  name: "service-account",
  watches: [
    watch(Namespace, { matters: () => false }),
    watch(ServiceAccount, {
      keysOf: ({ metadata }) => (metadata.name === name ? [metadata.namespace ?? ""] : []),
      matters: () => false,
    }),
  ],
  writes: [create(ServiceAccount)],
  async reconcile(key, { api, lister }) {
    const namespace = lister(Namespace).get(key);
    if (!namespace || namespace.metadata.deletionTimestamp) return;
    if (lister(ServiceAccount).get(keyIn(key, name))) return;
    try {
      await api.create(ServiceAccount, { metadata: { name, namespace: key } });
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
  },
});
