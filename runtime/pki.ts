/**
 * A certificate authority of our own, and what it issues: servers and users.
 *
 * A user's certificate says who he is as Kubernetes reads it: the common name is the user, each
 * organization a group (k8s: staging/src/k8s.io/apiserver/pkg/authentication/request/x509). Keys
 * are ECDSA on P-256. Nothing here keeps or writes files; PEM goes in and out.
 */

import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import type { Extension, JsonNameParams } from "@peculiar/x509";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Clock } from "./clock.ts";
import { assert } from "./errors.ts";

/** Both as PEM; the key as PKCS #8. */
export interface CertificateAndKey {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly clock: Pick<Clock, "now">;
  readonly days: number;
}

export interface CertificateFacts {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly serialNumber: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly isAuthority: boolean;
}

/** Certificates begin this much in the past: other machines' clocks may be behind. */
export const backdatedMs = 5 * 60_000;
const dayMs = 24 * 3_600_000;
const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" };
export const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };

export async function createAuthority(
  options: Validity & { commonName: string },
): Promise<CertificateAndKey> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...(await commonParts(options)),
    name: new Name([{ CN: [text(options.commonName)] }]),
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: toPem(certificate), key: await exportKey(keys.privateKey) };
}

/** A key for tokens rather than certificates, as PEM. */
export async function createSigningKey(): Promise<string> {
  return await exportKey((await generateKeys()).privateKey);
}

/** `hosts` are DNS names and IP addresses, told apart by how they look. */
export async function issueServerCertificate(
  authority: CertificateAndKey,
  options: Validity & { commonName: string; hosts: readonly string[] },
): Promise<CertificateAndKey> {
  const names = options.hosts.map(
    (value) => ({ type: isIP(value) ? "ip" : "dns", value }) as const,
  );
  assert(names.length > 0, "A server's certificate needs the names by which it is reached");
  return await issue(
    authority,
    options,
    [{ CN: [options.commonName] }],
    [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names),
    ],
  );
}

export async function issueClientCertificate(
  authority: CertificateAndKey,
  options: Validity & { user: string; groups: readonly string[] },
): Promise<CertificateAndKey> {
  return await issue(authority, options, subjectParts(options.user, options.groups), [
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
  ]);
}

export function subjectOf(user: string, groups: readonly string[]): Name {
  return new Name(subjectParts(user, groups));
}

function subjectParts(user: string, groups: readonly string[]): JsonNameParams {
  return [...groups.map((group) => ({ O: [text(group)] })), { CN: [text(user)] }];
}

/** Whether the authority signed it, and both are valid now. */
export async function verifyCertificate(
  authority: string,
  certificate: string,
  clock: Pick<Clock, "now">,
): Promise<boolean> {
  const [issuer, issued] = [new X509Certificate(authority), new X509Certificate(certificate)];
  if (issued.issuer !== issuer.subject || !describeCertificate(authority).isAuthority) return false;
  const date = new Date(clock.now());
  const checks = [
    issuer.verify({ date }),
    issued.verify({ date, publicKey: await issuer.publicKey.export() }),
  ];
  return (await Promise.all(checks)).every(Boolean);
}

export function describeCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const alternatives = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON();
  const ofType = (type: string): string[] =>
    (alternatives ?? []).filter((name) => name.type === type).map((name) => name.value);
  return {
    commonName: certificate.subjectName.getField("CN")[0] ?? "",
    organizations: certificate.subjectName.getField("O"),
    names: ofType("dns"),
    addresses: ofType("ip"),
    serialNumber: certificate.serialNumber,
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
    isAuthority: certificate.getExtension(BasicConstraintsExtension)?.ca ?? false,
  };
}

async function issue(
  authority: CertificateAndKey,
  validity: Validity,
  subject: JsonNameParams,
  extensions: Extension[],
): Promise<CertificateAndKey> {
  const issuer = new X509Certificate(authority.certificate);
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.create({
    ...(await commonParts(validity)),
    subject: new Name(subject),
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      await AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export()),
      ...extensions,
    ],
  });
  return { certificate: toPem(certificate), key: await exportKey(keys.privateKey) };
}

/** As it stands: in a plain string the library would look for quotes and hexadecimal digits. */
function text(value: string): { utf8String: string } {
  return { utf8String: value };
}

async function commonParts({ clock, days }: Validity) {
  const now = clock.now();
  return {
    serialNumber: randomSerial(),
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + days * dayMs),
  };
}

/** 127 random bits, positive and never 0 at the front (RFC 5280, 4.1.2.2). */
export function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

export async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
}

export async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const pem = PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
  return `${pem}\n`;
}

export async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return await crypto.subtle.importKey(
    "pkcs8",
    PemConverter.decodeFirst(pem),
    keyAlgorithm,
    false,
    ["sign"],
  );
}

export function toPem(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
