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
  const agent = new Agent({ ca: options.certificates.authority.certificate, keepAlive: true });
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

/** What /readyz says, unless it is ok. */
function apiTrouble(url: string, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(`${url}/readyz`, { agent, timeout: 2_000 }, (reply) => {
      reply.resume();
      reply.on("end", () => {
        resolve(reply.statusCode === 200 ? undefined : `the API answers ${reply.statusCode}`);
      });
    });
    request.on("error", (error) => resolve(`the API does not answer: ${error.message}`));
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
