/**
 * CSR signing: gives each approved request of Kubernetes' own signers its certificate.
 *
 * Mailbox  reconcile(key)                  the name of a request; repeats coalesce
 * Watches  certificates.k8s.io/certificatesigningrequests
 * Owns     nothing that is not in the store; the authority comes with the process
 * Writes   certificates.k8s.io/certificatesigningrequests/status
 * Fails    a request that its signer does not take: condition Failed. api away: repeated, 5 ms .. 16 min
 * Scales   one owner (Lease `csr-signing`). A deposed one's writes are refused by its epoch.
 */

import { CertificateSigningRequest } from "../../manifests/index.ts";
import { type CertificateSigner, RequestError } from "../../runtime/certificate-requests.ts";
import { type Controller, defineController, watch } from "../kit/controller.ts";
import { formatTime } from "../kit/time.ts";
import { status } from "../kit/writes.ts";
import { condition, judgeRequest, requestPem } from "./csr-signers.ts";

/** As upstream's --cluster-signing-duration. */
const longestSeconds = 365 * 24 * 3_600;

/** Without a signer nothing is signed: requests wait. */
export function csrSigning(signer: CertificateSigner | undefined): Controller {
  return defineController({
    name: "csr-signing",
    watches: [watch(CertificateSigningRequest)],
    writes: [status(CertificateSigningRequest)],
    async reconcile(key, { api, lister, clock }) {
      const request = lister(CertificateSigningRequest).get(key);
      if (!request || !signer || !awaitsSignature(request)) return;
      const judged = judgeRequest(request);
      if (!judged) return;
      const { expirationSeconds = longestSeconds, usages = [] } = request.spec;
      const seconds = Math.min(expirationSeconds, longestSeconds);
      const outcome = judged.problem
        ? { problem: judged.problem }
        : await sign(signer, requestPem(request.spec), { seconds, usages });
      const now = formatTime(clock.now());
      const next =
        "certificate" in outcome
          ? { ...request.status, certificate: Buffer.from(outcome.certificate).toString("base64") }
          : { ...request.status, conditions: withFailure(request, outcome.problem, now) };
      await api.updateStatus(CertificateSigningRequest, { ...request, status: next });
    },
  });
}

function awaitsSignature(request: CertificateSigningRequest): boolean {
  const isApproved = condition(request, "Approved") && !condition(request, "Denied");
  return Boolean(isApproved) && !condition(request, "Failed") && !request.status?.certificate;
}

async function sign(
  signer: CertificateSigner,
  pem: string,
  options: { seconds: number; usages: readonly string[] },
): Promise<{ certificate: string } | { problem: string }> {
  try {
    return { certificate: await signer.sign(pem, options) };
  } catch (error) {
    if (error instanceof RequestError) return { problem: error.message };
    throw error;
  }
}

function withFailure(request: CertificateSigningRequest, message: string, now: string) {
  const reason = "SignerValidationFailure";
  const times = { lastUpdateTime: now, lastTransitionTime: now };
  const failed = { type: "Failed", status: "True", reason, message, ...times };
  return [...(request.status?.conditions ?? []), failed];
}
