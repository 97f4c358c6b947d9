/** CertificateSubjectRestriction: nobody becomes a master by a signature. k8s: plugin/pkg/admission/certificates. */

import { CertificateSigningRequest } from "../../../manifests/index.ts";
import { describeRequest, RequestError } from "../../../runtime/certificate-requests.ts";
import { mastersGroup } from "../authn/user.ts";
import { concerns, type Plugin, refused } from "./chain.ts";

const signer = "kubernetes.io/kube-apiserver-client";

export const certificateSubjectRestriction: Plugin = {
  name: "CertificateSubjectRestriction",
  handles: (target) => concerns(target, [CertificateSigningRequest], "CREATE"),
  validate(attributes) {
    const { spec } = attributes.object as CertificateSigningRequest;
    if (spec.signerName !== signer || !asksForMasters(spec.request)) return;
    const why = `use of ${signer} signer with ${mastersGroup} group is not allowed`;
    throw refused(attributes, why);
  },
};

function asksForMasters(base64: string): boolean {
  try {
    const { organizations } = describeRequest(Buffer.from(base64, "base64").toString());
    return organizations.includes(mastersGroup);
  } catch (error) {
    // What is no request at all is refused by validation.
    if (error instanceof RequestError) return false;
    throw error;
  }
}
