/**
 * CertificateApproval and CertificateSigning: who may approve a certificate, and who may sign it, by
 * its signer. k8s: plugin/pkg/admission/certificates.
 */

import equal from "fast-deep-equal";
import { CertificateSigningRequest } from "../../../manifests/index.ts";
import { type AdmissionContext, type Attributes, type Plugin, refused } from "./chain.ts";

export const certificateApproval: Plugin = {
  name: "CertificateApproval",
  handles: ({ resource, operation, subresource }) =>
    resource.stored === CertificateSigningRequest &&
    operation === "UPDATE" &&
    subresource === "approval",
  validate: (attributes, context) => assertMay("approve", attributes, context),
};

export const certificateSigning: Plugin = {
  name: "CertificateSigning",
  handles: ({ resource, operation, subresource }) =>
    resource.stored === CertificateSigningRequest &&
    operation === "UPDATE" &&
    subresource === "status",
  validate(attributes, context) {
    const [csr, old] = [attributes.object, attributes.old] as CertificateSigningRequest[];
    const failed = (one: CertificateSigningRequest | undefined) =>
      (one?.status?.conditions ?? []).filter(({ type }) => type === "Failed");
    const signed = csr?.status?.certificate !== old?.status?.certificate;
    if (!signed && equal(failed(csr), failed(old))) return undefined;
    return assertMay("sign", attributes, context);
  },
};

/** By the signer's own name, or by all of its domain: `example.com/*`. */
async function assertMay(
  verb: "approve" | "sign",
  attributes: Attributes,
  { allows }: AdmissionContext,
): Promise<void> {
  const { signerName } = (attributes.old as CertificateSigningRequest).spec;
  const domain = signerName.split("/")[0] ?? "";
  const about = { verb, group: "certificates.k8s.io", resource: "signers" };
  for (const name of [signerName, `${domain}/*`]) {
    if (await allows({ ...about, name })) return;
  }
  throw refused(
    attributes,
    `user not permitted to ${verb} requests with signerName "${signerName}"`,
  );
}
