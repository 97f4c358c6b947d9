/** Where a webhook's `clientConfig` leads: a URL, or a Service whose endpoints we know ourselves. */

import {
  EndpointSlice,
  Service,
  type ServiceReference,
  type WebhookClientConfig,
} from "../../../../manifests/index.ts";
import { serviceNameLabel } from "../../../../manifests/kinds/endpoint-slice.ts";
import type { Reader } from "../reader.ts";
import type { WebhookTarget } from "./dialer.ts";

const defaultPort = 443;

/** Throws an Error that says what is missing. */
export function resolveTarget(
  { url, service, caBundle }: WebhookClientConfig,
  reader: Reader,
  timeoutSeconds: number,
): WebhookTarget {
  const ca = caBundle ? Buffer.from(caBundle, "base64").toString() : undefined;
  const trust = ca ? { ca } : {};
  if (url) return { url: withTimeout(url, timeoutSeconds), ...trust };
  if (!service) throw new Error("webhook configuration has neither url nor service");
  const { namespace, name, path = "" } = service;
  const port = service.port ?? defaultPort;
  const base = `https://${name}.${namespace}.svc:${port}/${path.replace(/^\/+/, "")}`;
  return { url: withTimeout(base, timeoutSeconds), address: addressOf(service, reader), ...trust };
}

function withTimeout(url: string, seconds: number): string {
  return `${url}${url.includes("?") ? "&" : "?"}timeout=${seconds}s`;
}

/** A ready endpoint; without any the Service's own address, for whoever serves it by hand. */
function addressOf({ namespace, name, port: given }: ServiceReference, reader: Reader) {
  const service = reader.get(Service, namespace, name);
  if (!service) throw new Error(`service "${name}" not found`);
  const wanted = given ?? defaultPort;
  const { ports = [], type, externalName, clusterIP } = service.spec;
  if (type === "ExternalName") return { host: externalName ?? "", port: wanted };
  const servicePort = ports.find(({ port }) => port === wanted);
  if (!servicePort) throw new Error(`no service port ${wanted} found for service "${name}"`);
  const slices = reader
    .list(EndpointSlice, namespace)
    .filter(({ metadata }) => metadata.labels?.[serviceNameLabel] === name);
  for (const slice of slices) {
    const target = slice.ports?.find(({ name: one }) => (one ?? "") === (servicePort.name ?? ""));
    const ready = slice.endpoints.find(({ conditions }) => conditions?.ready !== false);
    const host = ready?.addresses[0];
    if (host && target?.port) return { host, port: target.port };
  }
  const reachable = clusterIP && clusterIP !== "None" && !service.spec.selector;
  if (reachable) return { host: clusterIP, port: wanted };
  throw new Error(`no endpoints available for service "${name}"`);
}
