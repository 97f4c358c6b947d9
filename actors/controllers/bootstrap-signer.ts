/**
 * Bootstrap signer: signs kube-public/cluster-info with each bootstrap token, so that who holds one knows the cluster.
 *
 * Mailbox  reconcile(key)                  one key for all: the ConfigMap
 * Watches  core/secrets, core/configmaps
 * Owns     nothing that is not in the store; what the ConfigMap begins with comes with the process
 * Writes   core/configmaps create+update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `bootstrap-signer`). A deposed one's writes are refused by its epoch.
 */

import equal from "fast-deep-equal";
import { isAlreadyExists, isNotFound } from "../../manifests/api-error.ts";
import { ConfigMap, Secret } from "../../manifests/index.ts";
import { bootstrapTokenType, readBootstrapToken } from "../../manifests/kinds/bootstrap-token.ts";
import { signDetached } from "../../runtime/token-keys.ts";
import { type Controller, defineController, watch } from "../kit/controller.ts";
import { create, update } from "../kit/writes.ts";

const key = "kube-public/cluster-info";
const signaturePrefix = "jws-kubeconfig-";

/**
 * `kubeconfig`: where the API is and whom it is signed by; without it the ConfigMap is somebody
 * else's to make. Differs from Kubernetes, where kubeadm makes it.
 */
export function bootstrapSigner(kubeconfig: string | undefined): Controller {
  return defineController({
    name: "bootstrap-signer",
    watches: [
      watch(Secret, { keysOf: ({ type }) => (type === bootstrapTokenType ? [key] : []) }),
      watch(ConfigMap, {
        keysOf: ({ metadata: { namespace, name } }) =>
          `${namespace}/${name}` === key ? [key] : [],
      }),
    ],
    writes: [create(ConfigMap), update(ConfigMap)],
    options: { initialKey: key },
    async reconcile(_, { api, lister, clock }) {
      const found = lister(ConfigMap).get(key);
      const content = found?.data?.kubeconfig ?? kubeconfig;
      if (!content) return;
      const secrets = lister(Secret).list();
      const kept = Object.entries(found?.data ?? {}).filter(
        ([field]) => !field.startsWith(signaturePrefix),
      );
      const signatures = signaturesOf(content, secrets, clock.now());
      const data = { kubeconfig: content, ...Object.fromEntries(kept), ...signatures };
      if (equal(data, found?.data)) return;
      try {
        if (found) await api.update(ConfigMap, { ...found, data });
        else await api.create(ConfigMap, { metadata: place, data });
      } catch (error) {
        if (!isAlreadyExists(error) && !isNotFound(error)) throw error;
      }
    },
  });
}

const place = { namespace: "kube-public", name: "cluster-info" };

export function signaturesOf(
  content: string,
  secrets: readonly Secret[],
  nowMs: number,
): Record<string, string> {
  const signatures: Record<string, string> = {};
  for (const secret of secrets) {
    const token = readBootstrapToken(secret);
    const isGood = token?.signs && (token.expires ?? Number.POSITIVE_INFINITY) > nowMs;
    if (token && isGood) signatures[signaturePrefix + token.id] = signDetached(content, token);
  }
  return signatures;
}
