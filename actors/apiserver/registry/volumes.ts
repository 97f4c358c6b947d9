/** Volumes, claims to them, and accounts: what their objects start with (k8s: pkg/registry/core). */

import type {
  PersistentVolume,
  PersistentVolumeClaim,
  ServiceAccount,
} from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

export const persistentVolumes: Hooks<PersistentVolume> = {
  prepareCreate: (volume) => ({ ...volume, status: { phase: "Pending" } }),
};

export const persistentVolumeClaims: Hooks<PersistentVolumeClaim> = {
  prepareCreate: (claim) => ({ ...withBothSources(claim), status: { phase: "Pending" } }),
  prepareUpdate: withBothSources,
};

/** Old clients know the first field, new ones the second; each says what the other does. */
function withBothSources(claim: PersistentVolumeClaim): PersistentVolumeClaim {
  const { dataSource, dataSourceRef } = claim.spec;
  if (dataSource && !dataSourceRef) {
    return { ...claim, spec: { ...claim.spec, dataSourceRef: { ...dataSource } } };
  }
  // The older field can name no other namespace, and only what a claim can be filled from.
  if (!dataSourceRef || dataSource || dataSourceRef.namespace) return claim;
  const { apiGroup = "", kind } = dataSourceRef;
  const isClaim = apiGroup === "" && kind === "PersistentVolumeClaim";
  const isSnapshot = apiGroup === "snapshot.storage.k8s.io" && kind === "VolumeSnapshot";
  if (!isClaim && !isSnapshot) return claim;
  const { namespace: _none, ...source } = dataSourceRef;
  return { ...claim, spec: { ...claim.spec, dataSource: source } };
}

/** Of the secrets only the names are kept: they are in the account's own namespace. */
export const serviceAccounts: Hooks<ServiceAccount> = {
  prepareCreate: withNamesOnly,
  prepareUpdate: withNamesOnly,
};

function withNamesOnly(account: ServiceAccount): ServiceAccount {
  if (!account.secrets) return account;
  return { ...account, secrets: account.secrets.map(({ name }) => ({ name })) };
}
