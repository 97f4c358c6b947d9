/** What every cluster has. Any API actor makes it, as often as it likes: making it twice changes nothing. */

import { ConfigMap, Namespace, Service } from "../../manifests/index.ts";
import type { LocalApi } from "./local.ts";
import { addressAt, type Cidr } from "./registry/cidr.ts";

export interface Essentials {
  readonly serviceCidr: Cidr;
  /** Of the Service `kube-dns`; none is made when it is undefined. */
  readonly dnsAddress?: string;
  /** Behind port 443 of the Service `kubernetes`; none is made when it is undefined. */
  readonly httpsPort?: number;
  /** Whose signature on a client certificate the HTTPS door believes, as PEM. */
  readonly clientCa?: string;
}

const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

export async function ensureEssentials(api: LocalApi, essentials: Essentials): Promise<void> {
  for (const name of namespaces) await api.ensure(Namespace, { metadata: { name }, spec: {} });
  const { httpsPort, dnsAddress, serviceCidr, clientCa } = essentials;
  // The well-known addresses, before anybody else can be given them.
  if (httpsPort !== undefined) await api.ensure(Service, kubernetesService(serviceCidr, httpsPort));
  if (dnsAddress !== undefined) await api.ensure(Service, dnsService(dnsAddress));
  if (clientCa !== undefined) await ensureClientCa(api, clientCa);
}

/**
 * By which extension API servers know whom to believe. Another CA, after the data folder was made
 * anew, replaces what is there. k8s: controlplane/controller/clusterauthenticationtrust.
 */
async function ensureClientCa(api: LocalApi, clientCa: string): Promise<void> {
  const metadata = { name: "extension-apiserver-authentication", namespace: "kube-system" };
  const found = await api.find(ConfigMap, metadata.namespace, metadata.name);
  const data = { ...found?.data, "client-ca-file": clientCa };
  if (!found) await api.ensure(ConfigMap, { metadata, data });
  else if (found.data?.["client-ca-file"] !== clientCa) {
    await api.update(ConfigMap, { ...found, data });
  }
}

/** Its endpoints are the live API actors: `presence.ts`. So it selects no pods. */
function kubernetesService(serviceCidr: Cidr, targetPort: number): Service {
  return {
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { component: "apiserver", provider: "kubernetes" },
    },
    spec: {
      clusterIP: addressAt(serviceCidr, 1),
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort }],
    },
  };
}

/** Its endpoints are the dns actors, which announce themselves. */
function dnsService(clusterIP: string): Service {
  return {
    metadata: {
      name: "kube-dns",
      namespace: "kube-system",
      labels: { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true" },
    },
    spec: {
      clusterIP,
      ports: [
        { name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
        { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: 53 },
      ],
    },
  };
}
