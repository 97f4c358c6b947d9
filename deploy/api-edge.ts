/** The HTTPS door of an API actor in a real process: certificates, addresses, what /readyz asks. */

import type { Edge } from "../actors/apiserver/apiserver.ts";
import { httpsEdge } from "../actors/apiserver/doors/edge.ts";
import type { Certificates } from "./certificates.ts";

export interface ApiEdgeOptions {
  readonly certificates: Certificates;
  /** The first is where the machine reaches the door. */
  readonly host: string;
  readonly port: number;
  /** The machine's address on the pod bridge, where pods reach the door. */
  readonly podSide: string | undefined;
  readonly gitVersion: string;
  readonly checks: ReadonlyMap<string, () => boolean>;
}

export function createApiEdge(options: ApiEdgeOptions): Edge {
  const { certificates, host, port, podSide, gitVersion, checks } = options;
  const apart = podSide !== undefined && host !== "0.0.0.0";
  return httpsEdge({
    hosts: apart ? [host, podSide] : [host],
    https: {
      port,
      key: certificates.server.key,
      cert: certificates.server.certificate,
      ca: certificates.authority.certificate,
    },
    advertise: podSide,
    gitVersion,
    checks,
  });
}
