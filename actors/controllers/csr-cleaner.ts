/**
 * CSR cleaner: removes requests that are done with, or that nobody answers.
 *
 * Mailbox  reconcile(key)                  the name of a request; repeats coalesce
 * Watches  certificates.k8s.io/certificatesigningrequests
 * Owns     nothing that is not in the store
 * Writes   certificates.k8s.io/certificatesigningrequests delete
 * Fails    api away: repeated, 5 ms .. 16 min. Crash: restart; a request then goes a little later
 * Scales   one owner (Lease `csr-cleaner`). A deposed one's writes are refused by its epoch.
 */

import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import { CertificateSigningRequest } from "../../manifests/index.ts";
import { defineController, requeueAfter, watch } from "../kit/controller.ts";
import { del } from "../kit/writes.ts";
import { condition } from "./csr-signers.ts";

/** k8s: pkg/controller/certificates/cleaner. */
const answeredMs = 3_600_000;
const waitingMs = 24 * 3_600_000;

export const csrCleaner = defineController({
  name: "csr-cleaner",
  watches: [watch(CertificateSigningRequest)],
  writes: [del(CertificateSigningRequest)],
  async reconcile(key, { api, lister, clock }) {
    const request = lister(CertificateSigningRequest).get(key);
    if (!request) return;
    const leftMs = goneAt(request) - clock.now();
    if (leftMs > 0) return requeueAfter(leftMs);
    const { uid } = request.metadata;
    await api.delete(CertificateSigningRequest, key, { uid }).catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
  },
});

/** An answer is left to be fetched for a while; so is a request to be answered. */
export function goneAt(request: CertificateSigningRequest): number {
  const answers = ["Denied", "Failed", ...(request.status?.certificate ? ["Approved"] : [])];
  for (const type of answers) {
    const found = condition(request, type);
    if (found) return Date.parse(found.lastUpdateTime ?? "") + answeredMs;
  }
  const since =
    condition(request, "Approved")?.lastUpdateTime ?? request.metadata.creationTimestamp;
  return Date.parse(since ?? "") + waitingMs;
}
