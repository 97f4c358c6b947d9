/** The HTTPS door of an API actor in a real process: certificates, addresses, what /readyz asks. */

import type { Edge } from "../actors/apiserver/apiserver.ts";
import { createDiscovery } from "../actors/apiserver/doors/discovery.ts";
import { type HttpsDoor, openHttpsDoor } from "../actors/apiserver/doors/https.ts";
import { createSite } from "../actors/apiserver/doors/site.ts";
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
  const { certificates, host, port, podSide } = options;
  return {
    async open({ clock }, { pipeline, context }) {
      const site = createSite({
        discovery: createDiscovery(context.registry),
        clock,
        gitVersion: options.gitVersion,
        checks: options.checks,
        metrics: async () => "",
      });
      const tls = {
        key: certificates.server.key,
        cert: certificates.server.certificate,
        ca: certificates.authority.certificate,
      };
      const streams = {
        respond: async () => false,
        upgrade: () => Promise.reject(new Error("not yet")),
      };
      const doors: HttpsDoor[] = [];
      const open = async (at: string): Promise<void> => {
        doors.push(await openHttpsDoor({ ...tls, host: at, port }, pipeline, site, streams));
      };
      await open(host);
      if (podSide !== undefined && host !== "0.0.0.0") await open(podSide);
      return {
        address: podSide === undefined ? undefined : { ip: podSide, port },
        async close() {
          await Promise.all(doors.map((door) => door.close()));
        },
      };
    },
  };
}
