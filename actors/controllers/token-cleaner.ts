/**
 * Token cleaner: removes bootstrap tokens that have run out.
 *
 * Mailbox  reconcile(key)                  the key of a Secret; repeats coalesce
 * Watches  core/secrets
 * Owns     nothing that is not in the store
 * Writes   core/secrets delete
 * Fails    api away: repeated, 5 ms .. 16 min. The API itself believes no token that has run out
 * Scales   one owner (Lease `token-cleaner`). A deposed one's writes are refused by its epoch.
 */

import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Secret } from "../../manifests/index.ts";
import { readBootstrapToken } from "../../manifests/kinds/bootstrap-token.ts";
import { defineController, requeueAfter, watch } from "../kit/controller.ts";
import { del } from "../kit/writes.ts";

export const tokenCleaner = defineController({
  name: "token-cleaner",
  watches: [watch(Secret)],
  writes: [del(Secret)],
  async reconcile(key, { api, lister, clock }) {
    const secret = lister(Secret).get(key);
    const { expires } = (secret && readBootstrapToken(secret)) ?? {};
    if (!secret || expires === undefined) return;
    const leftMs = expires - clock.now();
    if (leftMs > 0) return requeueAfter(leftMs);
    const { uid } = secret.metadata;
    await api.delete(Secret, key, { uid }).catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
  },
});
