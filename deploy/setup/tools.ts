/** What Wherry needs on a machine beside Node.js: data, one entry a tool. */
import type { Suite } from "./debian.ts";

export interface Tool {
  /** The Debian package it comes from. */
  readonly package: string;
  /** Suites to try in order; see `Suite`. */
  readonly suites: readonly Suite[];
  /** Oldest version that is good enough. */
  readonly minimum: readonly number[];
  readonly versionArgs: readonly string[];
  /** Why a machine without it cannot run Wherry: said when it is missing. */
  readonly purpose: string;
}

export const tools = {
  "nats-server": {
    package: "nats-server",
    suites: ["forky", "sid"],
    minimum: [2, 12],
    versionArgs: ["--version"],
    purpose: "the message bus and the store (atomic batches need 2.12)",
  },
  dockerd: {
    package: "docker.io",
    suites: ["machine"],
    minimum: [20, 10],
    versionArgs: ["--version"],
    purpose: "runs the containers where no Docker answers",
  },
  docker: {
    package: "docker.io",
    suites: ["machine"],
    minimum: [20, 10],
    versionArgs: ["--version"],
    purpose: "looks at the containers from outside",
  },
  nft: {
    package: "nftables",
    suites: ["machine"],
    minimum: [1, 0, 6],
    versionArgs: ["--version"],
    purpose: "Service addresses",
  },
  ip: {
    package: "iproute2",
    suites: ["machine"],
    minimum: [],
    versionArgs: ["-V"],
    purpose: "bridges and routes of the pod network",
  },
  kubectl: {
    package: "kubectl",
    suites: ["trixie", "forky", "sid"],
    minimum: [1, 32],
    versionArgs: ["version", "--client"],
    purpose: "the tests talk to the cluster as users do",
  },
  "docker-registry": {
    package: "docker-registry",
    suites: ["machine"],
    minimum: [2],
    versionArgs: ["--version"],
    purpose: "the tests pull images from a registry of their own",
  },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof tools;

/** The first dotted number in what a tool prints about itself. */
export function parseVersion(text: string): number[] | undefined {
  const match = /(\d+(?:\.\d+)+)/.exec(text);
  return match?.[1]?.split(".").map(Number);
}

export function isAtLeast(version: readonly number[], minimum: readonly number[]): boolean {
  for (const [index, wanted] of minimum.entries()) {
    const had = version[index] ?? 0;
    if (had !== wanted) return had > wanted;
  }
  return true;
}
