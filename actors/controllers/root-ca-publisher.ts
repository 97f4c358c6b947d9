/**
 * Root CA publisher: the ConfigMap `kube-root-ca.crt` in every Namespace, by which pods know the API.
 *
 * Mailbox  reconcile(key)                  the name of a Namespace; repeats coalesce
 * Watches  core/namespaces, core/configmaps (their Namespace)
 * Owns     nothing that is not in the store; the certificate comes with the process
 * Writes   core/configmaps create+update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `root-ca-publisher`). A deposed one's writes are refused by its epoch.
 */

import { isAlreadyExists } from "../../manifests/api-error.ts";
import { ConfigMap, Namespace } from "../../manifests/index.ts";
import { type Controller, defineController, watch } from "../kit/controller.ts";
import { keyIn } from "../kit/object.ts";
import { create, update } from "../kit/writes.ts";
import { isNamespaceTerminating } from "./status.ts";

const name = "kube-root-ca.crt";
const field = "ca.crt";

/** `caPem`: what the API's serving certificate is signed with. */
export function rootCaPublisher(caPem: string): Controller {
  return defineController({
    name: "root-ca-publisher",
    watches: [
      watch(Namespace, { matters: () => false }),
      watch(ConfigMap, {
        keysOf: ({ metadata }) => (metadata.name === name ? [metadata.namespace ?? ""] : []),
      }),
    ],
    writes: [create(ConfigMap), update(ConfigMap)],
    async reconcile(key, { api, lister }) {
      const namespace = lister(Namespace).get(key);
      if (!namespace || namespace.metadata.deletionTimestamp) return;
      const existing = lister(ConfigMap).get(keyIn(key, name));
      if (existing?.data?.[field] === caPem) return;
      const data = { [field]: caPem };
      try {
        if (existing) await api.update(ConfigMap, { ...existing, data });
        else await api.create(ConfigMap, { metadata: { name, namespace: key }, data });
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
      }
    },
  });
}
