/** Client certificates: the common name is the user, each organization a group. */

import type { User } from "../request.ts";
import { credentialId } from "./user.ts";

export interface ClientCertificate {
  /** Signed by the CA that the door believes, and valid now. */
  readonly trusted: boolean;
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Of its DER form; hexadecimal in lower case. */
  readonly sha256: string;
}

/** Undefined for a certificate that names nobody. k8s: authentication/request/x509. */
export function userOfCertificate(certificate: ClientCertificate): User | undefined {
  const { commonName, organizations, sha256 } = certificate;
  if (!commonName) return undefined;
  return {
    name: commonName,
    groups: [...organizations],
    extra: { [credentialId]: [`X509SHA256=${sha256}`] },
  };
}
