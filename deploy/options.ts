/** The options of `wherry up`: their names, defaults and limits are part of the public interface. */
import { resolve } from "node:path";
import type { Argv } from "yargs";
import { pluginNames } from "../actors/apiserver/admission/index.ts";
import { type Cidr, formatAddress, parseCidr } from "./cidr.ts";
import { mostNodes } from "./places.ts";
import { addSecurityOptions, type SecurityOptions } from "./security-options.ts";
import { UsageError } from "./usage.ts";

export interface UpOptions {
  readonly dataDir: string;
  readonly nodes: number;
  readonly engine: "auto" | "docker" | "sim";
  readonly httpsPort: number;
  readonly natsPort: number;
  readonly listen: string;
  readonly podCidr: Cidr;
  readonly serviceCidr: Cidr;
  readonly clusterDomain: string;
  readonly proxy: "auto" | "nftables" | "none";
  /** Plugins beside, and without, those that are on by themselves. */
  readonly admission: { readonly enable: readonly string[]; readonly disable: readonly string[] };
  /** Leave containers running when Wherry stops. */
  readonly keep: boolean;
  /** Fetch missing tools. */
  readonly install: boolean;
  readonly security: SecurityOptions;
}

export const defaults = {
  data: ".wherry",
  httpsPort: 6443,
  natsPort: 4222,
  listen: "127.0.0.1",
  podCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/16",
  clusterDomain: "cluster.local",
} as const;

/** Values that are promised, and not built yet. */
const unbuilt: Readonly<Record<string, readonly string[]>> = {
  engine: ["podman", "cri"],
  proxy: ["userspace"],
};

export function dataOption(env: NodeJS.ProcessEnv = process.env) {
  return {
    type: "string",
    describe: "folder of all state",
    default: env.WHERRY_DATA || defaults.data,
  } as const;
}

export function addUpOptions(yargs: Argv) {
  return addSecurityOptions(yargs).options({
    data: dataOption(),
    nodes: { type: "number", default: 1, describe: "number of nodes" },
    engine: {
      choices: ["auto", "docker", "podman", "cri", "sim"] as const,
      default: "auto" as const,
      describe: "what runs the containers; sim pretends",
    },
    "https-port": { type: "number", default: defaults.httpsPort, describe: "API; 0: any free one" },
    "nats-port": { type: "number", default: defaults.natsPort, describe: "NATS; 0: any free one" },
    listen: {
      type: "string",
      default: defaults.listen,
      describe: "address of the API; NATS stays on loopback",
    },
    "pod-cidr": {
      type: "string",
      describe: "addresses of pods, 256 a node",
      defaultDescription: `${defaults.podCidr}, and wider for more than 256 nodes`,
    },
    "service-cidr": {
      type: "string",
      default: defaults.serviceCidr,
      describe: "addresses of Services",
    },
    "cluster-domain": { type: "string", default: defaults.clusterDomain, describe: "DNS suffix" },
    proxy: {
      choices: ["auto", "nftables", "userspace", "none"] as const,
      default: "auto" as const,
      describe: "how Service addresses reach pods",
    },
    processes: { type: "string", default: "1", describe: "a number, or auto" },
    "enable-admission-plugins": {
      type: "string",
      default: "",
      describe: "admission plugins to turn on, with commas between",
    },
    "disable-admission-plugins": {
      type: "string",
      default: "",
      describe: "admission plugins to turn off, with commas between",
    },
    keep: { type: "boolean", default: false, describe: "leave containers running at the end" },
    install: { type: "boolean", default: true, describe: "fetch missing tools (--no-install)" },
  });
}

/** What yargs hands over. */
export interface RawUpOptions {
  readonly data: string;
  readonly nodes: number;
  readonly engine: "auto" | "docker" | "podman" | "cri" | "sim";
  readonly httpsPort: number;
  readonly natsPort: number;
  readonly listen: string;
  readonly podCidr: string | undefined;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  readonly proxy: "auto" | "nftables" | "userspace" | "none";
  readonly processes: string;
  readonly enableAdmissionPlugins?: string;
  readonly disableAdmissionPlugins?: string;
  readonly keep: boolean;
  readonly install: boolean;
}

export function readUpOptions(raw: RawUpOptions, security: SecurityOptions): UpOptions {
  const { engine, proxy } = raw;
  if (engine === "podman" || engine === "cri") throw notBuilt("engine", engine);
  if (proxy === "userspace") throw notBuilt("proxy", proxy);
  if (raw.processes !== "1" && raw.processes !== "auto") throw notBuilt("processes", raw.processes);
  if (!Number.isInteger(raw.nodes) || raw.nodes < 1) {
    throw new UsageError(`--nodes ${raw.nodes} is not a number of nodes`);
  }
  const podCidr = readCidr("pod-cidr", raw.podCidr ?? defaultPodCidr(raw.nodes));
  if (raw.nodes > mostNodes(podCidr)) {
    throw new UsageError(
      `--nodes ${raw.nodes} is more than --pod-cidr ${podCidr.text} has room for: ${mostNodes(podCidr)}`,
    );
  }
  return {
    dataDir: resolve(raw.data),
    nodes: raw.nodes,
    engine,
    proxy,
    httpsPort: readPort("https-port", raw.httpsPort),
    natsPort: readPort("nats-port", raw.natsPort),
    listen: raw.listen,
    podCidr,
    serviceCidr: readCidr("service-cidr", raw.serviceCidr),
    clusterDomain: raw.clusterDomain,
    admission: {
      enable: readPlugins("enable-admission-plugins", raw.enableAdmissionPlugins),
      disable: readPlugins("disable-admission-plugins", raw.disableAdmissionPlugins),
    },
    keep: raw.keep,
    install: raw.install,
    security,
  };
}

/** The widest leaves the default range of Services alone. */
const widest = 10;

/** As wide as need be around the usual one: 10.244.0.0/16 has room for 256 nodes. */
function defaultPodCidr(nodes: number): string {
  const [address, prefix] = defaults.podCidr.split("/");
  const doublings = Math.max(0, Math.ceil(Math.log2(nodes / 256)));
  const range = parseCidr(`${address}/${Math.max(widest, Number(prefix) - doublings)}`);
  return range ? `${formatAddress(range.first)}/${range.prefix}` : defaults.podCidr;
}

function notBuilt(option: string, value: string): UsageError {
  const others = (unbuilt[option] ?? []).filter((it) => it !== value);
  const more = others.length > 0 ? ` (nor is ${others.join(", ")})` : "";
  return new UsageError(`--${option} ${value} is not built yet${more}`);
}

function readPlugins(option: string, value = ""): string[] {
  const names = value.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !pluginNames.includes(name));
  if (unknown === undefined) return names;
  const known = [...pluginNames].sort().join(", ");
  throw new UsageError(`--${option} ${unknown} is no admission plugin; there are: ${known}`);
}

function readPort(option: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new UsageError(`--${option} ${value} is not a port`);
}

function readCidr(option: string, value: string): Cidr {
  const cidr = parseCidr(value);
  if (!cidr) throw new UsageError(`--${option} ${value} is not an IPv4 range such as 10.0.0.0/16`);
  if (cidr.prefix > 24) throw new UsageError(`--${option} ${value} is too small: /24 at least`);
  return cidr;
}

/** Nodes are named by number, so that a smaller cluster started again keeps its first ones. */
export function nodeNames(options: Pick<UpOptions, "nodes">): string[] {
  return Array.from({ length: options.nodes }, (_, index) => `node-${index + 1}`);
}
