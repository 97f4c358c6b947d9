/**
 * Which API actors live: each keeps a Lease in kube-system, and each writes the endpoints of the
 * Service `kubernetes` from the leases it sees renewed. Whether one is, is judged by our own
 * monotonic clock since we saw it change. k8s: the apiserver's identity leases, and
 * pkg/controlplane/reconcilers.
 */

import equal from "fast-deep-equal";
import { isConflict } from "../../manifests/api-error.ts";
import { EndpointSlice, Endpoints, Lease } from "../../manifests/index.ts";
import { serviceNameLabel } from "../../manifests/kinds/endpoint-slice.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { LocalApi } from "./local.ts";

export const renewMs = 5_000;
const leaseSeconds = 20;
const leaseNamespace = "kube-system";
const identityLabel = "apiserver.kubernetes.io/identity";
const identity = "wherry-apiserver";
const addressAnnotation = "wherry.io/address";

export interface Address {
  readonly ip: string;
  readonly port: number;
}

export class Presence {
  readonly #api: LocalApi;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #address: Address | undefined;
  /** Resource version of each lease, and when we first saw it. */
  readonly #seen = new Map<string, { resourceVersion: string | undefined; at: number }>();

  constructor(api: LocalApi, clock: Clock, replica: string, address: Address | undefined) {
    this.#api = api;
    this.#clock = clock;
    this.#name = `apiserver-${replica}`;
    this.#address = address;
  }

  /** Renews our lease and brings the endpoints up to date. */
  async tick(): Promise<void> {
    try {
      await this.#renew();
      await this.#publish();
    } catch (error) {
      // Another API actor was quicker with the same thing: the next tick sees what it made of it.
      if (!isConflict(error)) throw error;
    }
  }

  /** A planned stop: the others need not wait for the lease to run out. */
  async leave(): Promise<void> {
    await this.#api.delete(Lease, leaseNamespace, this.#name);
    this.#seen.delete(this.#name);
    await this.#publish();
  }

  async #renew(): Promise<void> {
    const held = await this.#api.find(Lease, leaseNamespace, this.#name);
    const address = this.#address;
    const annotations = address
      ? { [addressAnnotation]: `${address.ip}:${address.port}` }
      : undefined;
    const metadata = {
      ...held?.metadata,
      name: this.#name,
      namespace: leaseNamespace,
      labels: { [identityLabel]: identity },
      annotations,
    };
    const spec = {
      holderIdentity: this.#name,
      leaseDurationSeconds: leaseSeconds,
      renewTime: microTime(this.#clock.now()),
    };
    if (held) await this.#api.update(Lease, { metadata, spec });
    else await this.#api.create(Lease, { metadata, spec });
  }

  async #publish(): Promise<void> {
    if (!this.#address) return;
    const leases = await this.#api.list(Lease, leaseNamespace);
    const live = leases.filter(
      (lease) => lease.metadata.labels?.[identityLabel] === identity && this.#isLive(lease),
    );
    const addresses = live.flatMap((lease) => parseAddress(lease.metadata.annotations) ?? []);
    addresses.sort((a, b) => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port));
    if (addresses.length > 0) await this.#write(addresses);
  }

  #isLive(lease: Lease): boolean {
    const { name = "", resourceVersion } = lease.metadata;
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(name);
    if (seen?.resourceVersion !== resourceVersion) {
      this.#seen.set(name, { resourceVersion, at: now });
      return true;
    }
    return now - (seen?.at ?? now) <= leaseSeconds * 1000;
  }

  async #write(addresses: readonly Address[]): Promise<void> {
    const metadata = { name: "kubernetes", namespace: "default" };
    const port = addresses[0]?.port ?? 0;
    const slice: EndpointSlice = {
      metadata: { ...metadata, labels: { [serviceNameLabel]: "kubernetes" } },
      addressType: "IPv4",
      endpoints: addresses.map(({ ip }) => ({ addresses: [ip], conditions: { ready: true } })),
      ports: [{ name: "https", port, protocol: "TCP" }],
    };
    const endpoints: Endpoints = {
      metadata: {
        ...metadata,
        labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
      },
      subsets: [
        {
          addresses: addresses.map(({ ip }) => ({ ip })),
          ports: [{ name: "https", port, protocol: "TCP" }],
        },
      ],
    };
    const slices = await this.#api.find(EndpointSlice, "default", "kubernetes");
    if (!slices) await this.#api.create(EndpointSlice, slice);
    else if (!equal(slices.endpoints, slice.endpoints) || !equal(slices.ports, slice.ports)) {
      await this.#api.update(EndpointSlice, { ...slice, metadata: slices.metadata });
    }
    const before = await this.#api.find(Endpoints, "default", "kubernetes");
    if (!before) await this.#api.create(Endpoints, endpoints);
    else if (!equal(before.subsets, endpoints.subsets)) {
      await this.#api.update(Endpoints, { ...endpoints, metadata: before.metadata });
    }
  }
}

function parseAddress(annotations: Record<string, string> | undefined): Address | undefined {
  const text = annotations?.[addressAnnotation];
  if (!text) return undefined;
  const at = text.lastIndexOf(":");
  return { ip: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
