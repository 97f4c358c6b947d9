/** What an API actor has in a real process and not in a simulation: the HTTPS door and what it serves. */

import { apiError } from "../../../manifests/api-error.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { Log } from "../../../runtime/log.ts";
import type { ByteStream } from "../../../runtime/stream.ts";
import { channels } from "../../kubelet/messages.ts";
import type { Edge, Inside, OpenEdge } from "../apiserver.ts";
import { accessOf } from "../authz/access.ts";
import type { Registry } from "../registry/registry.ts";
import type { ApiRequest } from "../request.ts";
import { admitConnection } from "../stages.ts";
import { createDiscovery } from "./discovery.ts";
import type { Exchange } from "./exchange.ts";
import { type HttpsConfig, type HttpsDoor, openHttpsDoor, type Streams } from "./https.ts";
import { createMetrics } from "./metrics.ts";
import { findPorts, type NodeStreamsContext, openLog, openTerminal } from "./node-streams.ts";
import {
  forwardOverSpdy,
  forwardOverWebSocket,
  portForwardProtocols,
  portsOf,
} from "./portforward.ts";
import { createSite } from "./site.ts";
import { takeSubmits } from "./submits.ts";
import { terminalOverSpdy, terminalOverWebSocket, terminalProtocols } from "./terminal.ts";
import { chooseProtocol, type Upgrade, upgradeSpdy, upgradeWebSocket } from "./upgrade.ts";

export interface EdgeConfig {
  readonly https: Omit<HttpsConfig, "host">;
  /** Where to listen, all on one port. */
  readonly hosts: readonly string[];
  /** The address under which pods reach this machine; the port is the door's. */
  readonly advertise?: string;
  /** More of what /readyz asks. */
  readonly checks?: ReadonlyMap<string, () => boolean>;
  /** `v1.32.3+wherry0.1.0`. */
  readonly gitVersion: string;
  /** More of /metrics, in Prometheus' text format. */
  readonly metrics?: () => Promise<string>;
  /** Told of the port once the door is open. */
  readonly onListening?: (port: number) => void;
}

export function httpsEdge(config: EdgeConfig): Edge {
  return {
    async open(ctx, inside): Promise<OpenEdge> {
      const { registry } = inside.context;
      const metrics = createMetrics((request) => isServed(registry, request));
      const site = createSite({
        authorizer: inside.context.authorizer,
        discovery: createDiscovery(registry),
        customKinds: () => registry.resources.flatMap(({ kind, custom }) => (custom ? [kind] : [])),
        clock: ctx.clock,
        tokens: inside.context.tokens,
        gitVersion: config.gitVersion,
        checks: new Map([...checksOf(inside), ...(config.checks ?? [])]),
        metrics: async () => (await metrics.text()) + ((await config.metrics?.()) ?? ""),
      });
      const { bus, clock, random } = ctx;
      const streams = createStreams({ bus, clock, random, pipeline: inside.pipeline }, inside);
      const doors: HttpsDoor[] = [];
      let { port } = config.https;
      for (const host of config.hosts) {
        const https = { ...config.https, host, port };
        doors.push(
          await openHttpsDoor(https, {
            pipeline: inside.pipeline,
            authenticator: inside.context.authenticator,
            auditor: inside.auditor,
            site,
            streams,
            observe: metrics.observe,
            log: ctx.log,
          }),
        );
        port = doors[0]?.port ?? port;
      }
      const submits = takeSubmits({ bus, clock, log: ctx.log, pipeline: inside.pipeline });
      config.onListening?.(port);
      const { advertise } = config;
      return {
        httpsPort: port,
        clientCa: config.https.ca,
        ...(advertise ? { address: { ip: advertise, port } } : {}),
        async close() {
          submits.close();
          await Promise.all(doors.map((door) => door.close()));
        },
      };
    },
  };
}

function isServed(registry: Registry, request: ApiRequest): boolean {
  const { group, version, resource, subresource } = request;
  const served = registry.get(group, version, resource);
  return served !== undefined && ["", ...served.kind.subresources].includes(subresource);
}

function checksOf({ context, started }: Inside): ReadonlyMap<string, () => boolean> {
  const { stores } = context.registry;
  return new Map([
    ["store-objects", () => stores.objects.ready],
    ["store-events", () => stores.events.ready],
    ["store-leases", () => stores.leases.ready],
    ["poststarthook/rbac/bootstrap-roles", () => started.policy],
    ["namespaces", () => stores.objects.view.get("core.namespaces._.default") !== undefined],
  ]);
}

function createStreams(context: NodeStreamsContext, inside: Inside): Streams {
  const { authorizer, log } = inside.context;
  return {
    async respond(exchange, request) {
      if (this.upgrades(request)) throw apiError("BadRequest", "Upgrade request required");
      if (!isPod(request, ["log"]) || request.verb !== "get") return false;
      await authorizer.authorize(accessOf(request), request.annotate);
      const stream = await openLog(context, request);
      exchange.head(200, { "content-type": "text/plain" });
      if (stream) await copyLog(stream, exchange, log);
      exchange.end();
      return true;
    },
    upgrade: (raw, socket, head, request) =>
      connectPod(context, inside, { request: raw, socket, head }, request),
    upgrades: (request) => isPod(request, ["exec", "attach", "portforward"]),
  };
}

/** All that can be refused is refused before the upgrade, as a Status. */
async function connectPod(
  context: NodeStreamsContext,
  inside: Inside,
  upgrade: Upgrade,
  request: ApiRequest,
): Promise<void> {
  const { clock } = context;
  await inside.context.authorizer.authorize(accessOf(request), request.annotate);
  const isForward = request.subresource === "portforward";
  const chosen = chooseProtocol(
    upgrade.request,
    isForward ? portForwardProtocols : terminalProtocols,
  );
  await admitConnection(inside.context, request);
  const { type, protocol } = chosen;
  if (isForward) {
    const ports = type === "webSocket" ? portsOf(request.query) : [];
    const target = await findPorts(context, request);
    if (type === "webSocket") {
      upgradeWebSocket(upgrade, protocol, (client) =>
        forwardOverWebSocket(client, clock, target, ports),
      );
    } else upgradeSpdy(upgrade, chosen, (socket) => forwardOverSpdy(socket, clock, target));
    return;
  }
  const stream = await openTerminal(context, request);
  // Who left while the node was asked is told nothing more, and neither is the node.
  if (upgrade.socket.destroyed) stream.close();
  else if (type === "webSocket") {
    upgradeWebSocket(upgrade, protocol, (client) => terminalOverWebSocket(client, clock, stream));
  } else {
    upgradeSpdy(upgrade, chosen, (socket) => terminalOverSpdy(socket, clock, request, stream));
  }
}

/** Until the log ends, the client leaves, or the node is lost; then the answer just ends there. */
async function copyLog(stream: ByteStream, exchange: Exchange, log: Log): Promise<void> {
  exchange.onClose(() => stream.close());
  try {
    for await (const data of stream.read(channels.stdout)) {
      if (!exchange.write(data)) await exchange.drained();
    }
  } catch (error) {
    log.debug("A log was cut off", { error: errorMessage(error) });
  } finally {
    stream.close();
  }
}

function isPod({ group, resource, subresource }: ApiRequest, subresources: string[]): boolean {
  return group === "" && resource === "pods" && subresources.includes(subresource);
}
