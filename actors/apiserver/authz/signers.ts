/**
 * Who may approve a certificate of a signer, and who may sign it: verbs on `signers`, beside the
 * right to write the request's part. Upstream's admission plugins CertificateApproval and
 * CertificateSigning.
 */

import equal from "fast-deep-equal";
import { forbidden } from "../../../manifests/api-error.ts";
import type { CertificateSigningRequest } from "../../../manifests/index.ts";
import type { User } from "../request.ts";
import type { Authorizer } from "./authorizer.ts";

type Csr = CertificateSigningRequest;

const group = "certificates.k8s.io";

export async function assertMaySign(
  authorizer: Authorizer,
  user: User,
  csr: Csr,
  old: Csr | undefined,
): Promise<void> {
  if (!old || equal(csr.status, old.status)) return;
  const changed = (...types: string[]) => !equal(conditions(csr, types), conditions(old, types));
  if (changed("Approved", "Denied")) await assertSigner(authorizer, user, csr, "approve");
  if (changed("Failed") || csr.status?.certificate !== old.status?.certificate) {
    await assertSigner(authorizer, user, csr, "sign");
  }
}

/** By the signer's name, or by its domain: `example.com/*`. */
async function assertSigner(
  authorizer: Authorizer,
  user: User,
  { metadata, spec: { signerName } }: Csr,
  verb: "approve" | "sign",
): Promise<void> {
  const about = { user, verb, group, resource: "signers", subresource: "", namespace: "" };
  const domain = `${signerName.split("/")[0]}/*`;
  for (const name of [signerName, domain]) {
    if ((await authorizer.judge({ ...about, name })).allowed) return;
  }
  const why = `user not permitted to ${verb} requests with signerName "${signerName}"`;
  throw forbidden({ group, resource: "certificatesigningrequests" }, metadata.name, why);
}

function conditions({ status }: Csr, types: readonly string[]): unknown[] {
  return (status?.conditions ?? []).filter(({ type }) => types.includes(type));
}
