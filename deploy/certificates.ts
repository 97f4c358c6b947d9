/** The cluster's certificates, kept in the data folder, and the kubeconfig made of them. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { stringifyYaml } from "../manifests/index.ts";
import {
  type CertificateAndKey,
  createAuthority,
  createSigningKey,
  describeCertificate,
  issueClientCertificate,
  issueServerCertificate,
  verifyCertificate,
} from "../runtime/pki.ts";
import { realClock } from "../runtime/real.ts";
import { openTokenKeys, type TokenKeys } from "../runtime/token-keys.ts";
import { principalOf } from "./nats/roles.ts";

export interface Certificates {
  readonly authority: CertificateAndKey;
  readonly server: CertificateAndKey;
  /** The cluster's owner, in group system:masters. */
  readonly admin: CertificateAndKey;
  /** Signs the tokens of ServiceAccounts; a new key would end every pod's access. */
  readonly tokenKeys: TokenKeys;
}

const authorityDays = 3_650;
const leafDays = 365;
/** Issued again at a start that finds less than this left. */
const renewBeforeMs = 30 * 24 * 3_600_000;

/** Names under which clients reach the API: from the machine, and from pods. */
export function serverHosts(options: {
  addresses: readonly string[];
  clusterDomain: string;
}): string[] {
  const service = "kubernetes.default.svc";
  return [
    ...new Set([
      "localhost",
      hostname(),
      "kubernetes",
      "kubernetes.default",
      service,
      `${service}.${options.clusterDomain}`,
      "127.0.0.1",
      ...options.addresses,
    ]),
  ];
}

/** Reads what there is, makes what is missing, about to run out, or for other names. */
export async function ensureCertificates(
  dataDir: string,
  hosts: readonly string[],
): Promise<Certificates> {
  const folder = join(dataDir, "pki");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const validity = { clock: realClock, days: leafDays };
  const authority = await ensurePair(folder, "ca", isLasting, () =>
    createAuthority({ clock: realClock, days: authorityDays, commonName: "wherry-ca" }),
  );
  const isOurs = async (pair: CertificateAndKey): Promise<boolean> =>
    isLasting(pair) && verifyCertificate(authority.certificate, pair.certificate, realClock);
  const servesAll = async (pair: CertificateAndKey): Promise<boolean> => {
    const { names, addresses } = describeCertificate(pair.certificate);
    return hosts.every((host) => [...names, ...addresses].includes(host)) && isOurs(pair);
  };
  const server = await ensurePair(folder, "server", servesAll, () =>
    issueServerCertificate(authority, { ...validity, commonName: "wherry-apiserver", hosts }),
  );
  const admin = await ensurePair(folder, "admin", isOurs, () =>
    issueClientCertificate(authority, {
      ...validity,
      user: principalOf("admin"),
      groups: ["system:masters"],
    }),
  );
  const tokenKeys = await openTokenKeys(await ensureTokenKey(folder));
  return { authority, server, admin, tokenKeys };
}

async function ensureTokenKey(folder: string): Promise<string> {
  const path = join(folder, "service-account.key");
  const known = await readFile(path, "utf8").catch(() => "");
  if (known) return known;
  const made = await createSigningKey();
  await writeFile(path, made, { mode: 0o600 });
  return made;
}

function isLasting({ certificate }: CertificateAndKey): boolean {
  return describeCertificate(certificate).notAfter - realClock.now() > renewBeforeMs;
}

async function ensurePair(
  folder: string,
  name: string,
  isGood: (pair: CertificateAndKey) => boolean | Promise<boolean>,
  make: () => Promise<CertificateAndKey>,
): Promise<CertificateAndKey> {
  const paths = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const [certificate, key] = await Promise.all(
    [paths.certificate, paths.key].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  if (certificate && key && (await isGood({ certificate, key }))) return { certificate, key };
  const made = await make();
  await writeFile(paths.key, made.key, { mode: 0o600 });
  await writeFile(paths.certificate, made.certificate);
  return made;
}

/** Writes the kubeconfig of the cluster's owner, readable by him alone. */
export async function writeKubeconfig(
  dataDir: string,
  server: string,
  { authority, admin }: Certificates,
): Promise<string> {
  const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
  const path = join(dataDir, "kubeconfig");
  const user = principalOf("admin");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "wherry",
        cluster: { server, "certificate-authority-data": base64(authority.certificate) },
      },
    ],
    users: [
      {
        name: user,
        user: {
          "client-certificate-data": base64(admin.certificate),
          "client-key-data": base64(admin.key),
        },
      },
    ],
    contexts: [{ name: "wherry", context: { cluster: "wherry", user } }],
    "current-context": "wherry",
  };
  await writeFile(path, stringifyYaml(config), { mode: 0o600 });
  return path;
}

/** What somebody who may not do anything yet needs to know: where the API is, and whose it is. */
export function clusterKubeconfig(server: string, { authority }: Pick<Certificates, "authority">) {
  const ca = Buffer.from(authority.certificate).toString("base64");
  return stringifyYaml({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "", cluster: { server, "certificate-authority-data": ca } }],
    contexts: null,
    "current-context": "",
    preferences: {},
    users: null,
  });
}
