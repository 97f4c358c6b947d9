/**
 * Token controller: fills Secrets of type kubernetes.io/service-account-token, and removes those whose account is gone.
 *
 * Mailbox  reconcile(key)                  the key of a Secret; repeats coalesce
 * Watches  core/secrets, core/serviceaccounts (the Secrets that name them)
 * Owns     nothing that is not in the store; the signing key comes with the process
 * Writes   core/secrets update+delete
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `token`). A deposed one's writes are refused by its epoch.
 */

import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Secret, ServiceAccount } from "../../manifests/index.ts";
import type { TokenKeys } from "../../runtime/token-keys.ts";
import { legacyClaims } from "../apiserver/messages.ts";
import type { Api } from "../kit/client.ts";
import { type Controller, defineController, watch } from "../kit/controller.ts";
import { keyIn, keyOf } from "../kit/object.ts";
import { del, update } from "../kit/writes.ts";

const secretType = "kubernetes.io/service-account-token";
const nameAnnotation = "kubernetes.io/service-account.name";
const uidAnnotation = "kubernetes.io/service-account.uid";

export interface TokenSettings {
  readonly caPem: string;
  /** Without keys Secrets are cleaned, and not filled. */
  readonly keys: TokenKeys | undefined;
}

export function token(settings: TokenSettings): Controller {
  return defineController({
    name: "token",
    watches: [
      watch(Secret, {
        indexes: [accountKeys],
        matters: (before, after) => [before, after].some(({ type }) => type === secretType),
      }),
      watch(ServiceAccount, {
        keysOf: (account, { lister }) => lister(Secret).by(accountKeys, keyOf(account)).map(keyOf),
        matters: () => false,
      }),
    ],
    writes: [update(Secret), del(Secret)],
    async reconcile(key, { api, lister }) {
      const secret = lister(Secret).get(key);
      const [accountKey] = secret ? accountKeys(secret) : [];
      if (!secret || !accountKey || secret.metadata.deletionTimestamp) return;
      const cached = lister(ServiceAccount).get(accountKey);
      const account = isOf(secret, cached) ? cached : await fetchAccount(api, accountKey);
      if (!account || !isOf(secret, account)) return await remove(api, secret);
      const filled = settings.keys && (await fill(secret, account, settings.keys, settings.caPem));
      if (filled) await api.update(Secret, filled);
    },
  });
}

function accountKeys({ type, metadata }: Secret): string[] {
  const name = metadata.annotations?.[nameAnnotation];
  return type === secretType && name ? [keyIn(metadata.namespace, name)] : [];
}

/** One of the same name that was made later is another account. */
function isOf({ metadata }: Secret, account: ServiceAccount | undefined): boolean {
  const uid = metadata.annotations?.[uidAnnotation];
  return account !== undefined && (!uid || uid === account.metadata.uid);
}

async function fetchAccount(api: Api, key: string): Promise<ServiceAccount | undefined> {
  try {
    return await api.get(ServiceAccount, key);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function remove(api: Api, secret: Secret): Promise<void> {
  const { uid } = secret.metadata;
  await api.delete(Secret, keyOf(secret), { uid }).catch((error: unknown) => {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  });
}

/** Undefined when nothing is missing. */
async function fill(
  secret: Secret,
  { metadata: { name = "", uid = "" } }: ServiceAccount,
  keys: TokenKeys,
  caPem: string,
): Promise<Secret | undefined> {
  const { metadata, data = {} } = secret;
  const namespace = metadata.namespace ?? "";
  const wanted = { "ca.crt": base64(caPem), namespace: base64(namespace) };
  const current = Object.entries(wanted).every(([field, value]) => data[field] === value);
  if (current && data.token && metadata.annotations?.[uidAnnotation] === uid) return undefined;
  const claims = legacyClaims(namespace, { name, uid }, metadata.name ?? "");
  const signed = data.token || base64(await keys.sign(claims));
  const annotations = { ...metadata.annotations, [uidAnnotation]: uid };
  const filled = { ...data, ...wanted, token: signed };
  return { ...secret, metadata: { ...metadata, annotations }, data: filled };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
