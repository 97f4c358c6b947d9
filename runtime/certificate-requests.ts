/**
 * PKCS #10 requests: what somebody wants to have signed, and the signing of it. The subject and
 * names are the requester's; usages and validity are the authority's word alone.
 */

import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Clock } from "./clock.ts";
import {
  backdatedMs,
  type CertificateAndKey,
  exportKey,
  generateKeys,
  importKey,
  randomSerial,
  signingAlgorithm,
  subjectOf,
  toPem,
} from "./pki.ts";

export interface RequestFacts {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}

/** In the words of Kubernetes' KeyUsage: `client auth`, `digital signature`, … */
export type Usage = string;

export interface CertificateSigner {
  /** Throws RequestError when the request is not signed by its own key. */
  sign(
    request: string,
    options: { readonly seconds: number; readonly usages: readonly Usage[] },
  ): Promise<string>;
}

/** Not a request, or not one that its sender has the key of. */
export class RequestError extends Error {
  override name = "RequestError";
}

const keyUsages: Readonly<Record<string, number>> = {
  signing: KeyUsageFlags.digitalSignature,
  "digital signature": KeyUsageFlags.digitalSignature,
  "content commitment": KeyUsageFlags.nonRepudiation,
  "key encipherment": KeyUsageFlags.keyEncipherment,
  "key agreement": KeyUsageFlags.keyAgreement,
  "data encipherment": KeyUsageFlags.dataEncipherment,
  "cert sign": KeyUsageFlags.keyCertSign,
  "crl sign": KeyUsageFlags.cRLSign,
  "encipher only": KeyUsageFlags.encipherOnly,
  "decipher only": KeyUsageFlags.decipherOnly,
};

const extendedUsages: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": ExtendedKeyUsage.serverAuth,
  "client auth": ExtendedKeyUsage.clientAuth,
  "code signing": ExtendedKeyUsage.codeSigning,
  "email protection": ExtendedKeyUsage.emailProtection,
  "s/mime": ExtendedKeyUsage.emailProtection,
  "ipsec end system": "1.3.6.1.5.5.7.3.5",
  "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
  "ipsec user": "1.3.6.1.5.5.7.3.7",
  timestamping: ExtendedKeyUsage.timeStamping,
  "ocsp signing": ExtendedKeyUsage.ocspSigning,
  "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
  "netscape sgc": "2.16.840.1.113730.4.1",
};

/** Every usage that can be asked for. */
export const knownUsages: ReadonlySet<Usage> = new Set([
  ...Object.keys(keyUsages),
  ...Object.keys(extendedUsages),
]);

/** Throws RequestError. */
export function describeRequest(pem: string): RequestFacts {
  const request = parse(pem);
  const ofType = (type: string): string[] =>
    (alternativesOf(request)?.names.toJSON() ?? [])
      .filter((name) => name.type === type)
      .map((name) => name.value);
  return {
    commonName: request.subjectName.getField("CN")[0] ?? "",
    organizations: request.subjectName.getField("O"),
    names: ofType("dns"),
    addresses: ofType("ip"),
    emails: ofType("email"),
    uris: ofType("url"),
  };
}

export function createSigner(
  authority: CertificateAndKey,
  clock: Pick<Clock, "now">,
): CertificateSigner {
  return {
    async sign(pem, { seconds, usages }) {
      const request = parse(pem);
      if (!(await request.verify())) throw new RequestError("the request's signature is not good");
      const issuer = new X509Certificate(authority.certificate);
      const now = clock.now();
      const end = Math.min(now + seconds * 1_000, issuer.notAfter.getTime());
      const alternatives = alternativesOf(request);
      const certificate = await X509CertificateGenerator.create({
        serialNumber: randomSerial(),
        notBefore: new Date(now - backdatedMs),
        notAfter: new Date(end),
        subject: request.subjectName,
        issuer: issuer.subjectName,
        publicKey: request.publicKey,
        signingKey: await importKey(authority.key),
        signingAlgorithm,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(flagsOf(usages), true),
          ...extendedOf(usages),
          await AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export()),
          ...(alternatives ? [alternatives] : []),
        ],
      });
      return toPem(certificate);
    },
  };
}

/** A key, and a request for it, as a node or a user makes them. */
export async function createRequest(options: {
  readonly user: string;
  readonly groups: readonly string[];
  readonly names?: readonly string[];
}): Promise<{ key: string; request: string }> {
  const keys = await generateKeys();
  const names = (options.names ?? []).map((value) => ({ type: "dns", value }) as const);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: subjectOf(options.user, options.groups),
    keys,
    signingAlgorithm,
    extensions: names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : [],
  });
  return { key: await exportKey(keys.privateKey), request: `${request.toString("pem")}\n` };
}

function parse(pem: string): Pkcs10CertificateRequest {
  if (!pem.includes("-----BEGIN CERTIFICATE REQUEST-----")) {
    throw new RequestError("PEM block type must be CERTIFICATE REQUEST");
  }
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new RequestError("not a PKCS #10 request", { cause });
  }
}

function alternativesOf(
  request: Pkcs10CertificateRequest,
): SubjectAlternativeNameExtension | undefined {
  return request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension);
}

function flagsOf(usages: readonly Usage[]): number {
  return usages.reduce((flags, usage) => flags | (keyUsages[usage] ?? 0), 0);
}

function extendedOf(usages: readonly Usage[]): ExtendedKeyUsageExtension[] {
  const wanted = usages.flatMap((usage) => extendedUsages[usage] ?? []);
  return wanted.length > 0 ? [new ExtendedKeyUsageExtension([...new Set(wanted)])] : [];
}
