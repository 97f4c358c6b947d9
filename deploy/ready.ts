/** When a cluster may be called ready: its API says so, and so do its nodes. */
import { Agent, get } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { Informers } from "../actors/kit/informer.ts";
import { Node } from "../manifests/index.ts";
import type { Certificates } from "./certificates.ts";

const pollMs = 20;

/** Rejects when the deadline passes, saying what was still missing. */
export async function waitUntilReady(options: {
  url: string;
  certificates: Certificates;
  informers: Informers;
  nodes: readonly string[];
  timeoutMs: number;
  signal: AbortSignal;
}): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  const { authority, admin } = options.certificates;
  const agent = new Agent({
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
    keepAlive: true,
  });
  try {
    while (!options.signal.aborted) {
      const missing = (await apiTrouble(options.url, agent)) ?? nodeTrouble(options);
      if (missing === undefined) return;
      if (performance.now() > deadline) {
        throw new Error(`not ready after ${options.timeoutMs / 1_000} s: ${missing}`);
      }
      await sleep(pollMs);
    }
  } finally {
    agent.destroy();
  }
}

/** The last thing that a new cluster is given; see `actors/apiserver/bootstrap.ts`. */
const essential = "/api/v1/namespaces/default/services/kubernetes";

async function apiTrouble(url: string, agent: Agent): Promise<string | undefined> {
  for (const path of ["/readyz", essential]) {
    const answer = await ask(`${url}${path}`, agent);
    if (answer !== 200) return `the API answers ${answer} to ${path}`;
  }
  return undefined;
}

/** The status code, or why there is none. */
function ask(url: string, agent: Agent): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent, timeout: 2_000 }, (reply) => {
      reply.resume();
      reply.on("end", () => resolve(reply.statusCode));
    });
    request.on("error", (error) => resolve(error.message));
    request.on("timeout", () => request.destroy(new Error("timed out")));
  });
}

function nodeTrouble({
  informers,
  nodes,
}: {
  informers: Informers;
  nodes: readonly string[];
}): string | undefined {
  const { lister } = informers.of(Node);
  const isReady = (name: string): boolean =>
    lister
      .get(name)
      ?.status?.conditions?.some((it) => it.type === "Ready" && it.status === "True") ?? false;
  const waiting = nodes.filter((name) => !isReady(name));
  return waiting.length === 0 ? undefined : `nodes are not ready: ${waiting.join(", ")}`;
}
