/**
 * What the machine's own network must have for pods and Services: forwarding, two routes that keep
 * their addresses on this machine, and the leave of a Docker that filters what is forwarded.
 * `computeSteps` decides, `ensure` carries out.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { errorMessage } from "../../runtime/errors.ts";

export interface HostNetwork {
  /** Idempotent. Rejects while a bridge is missing: the kubelet's engine makes it. */
  ensure(): Promise<void>;
}

export interface HostNetworkConfig {
  /** The program, of iproute2: not on every machine's PATH. */
  ip: string;
  /** The program of a Docker that filters; undefined where the machine has none. */
  iptables: string | undefined;
  /** The pod bridge that Services are routed to, and the machine's address on it. */
  bridge: { name: string; address: string };
  podCidr: string;
  serviceCidr: string;
  /** Told of a kernel setting before it is changed for the first time, so that it can be undone. */
  onSetting(name: string, before: string): Promise<void>;
}

export interface Route {
  type: string;
  dst: string;
  dev?: string;
  prefsrc?: string;
}

export type Step =
  | { type: "set"; setting: string; value: string }
  | { type: "route"; route: string[] }
  | { type: "admit"; rule: string };

/** What forwarding between pods, and DNAT between pods on one bridge, need of the kernel. */
const settings = ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"] as const;

/** Behind every route that somebody makes on purpose. */
const lastMetric = 4_096;

/**
 * A Docker of the usual kind drops what is forwarded to or from a bridge that it does not know, and
 * between those that it knows; DOCKER-USER is its chain for exceptions, and outlives its restarts.
 */
const dockerChain = "DOCKER-USER";

/** As `iptables -S` prints them. */
function admissions(podCidr: string): string[] {
  return ["-s", "-d"].map((side) => `${dockerChain} ${side} ${podCidr} -j ACCEPT`);
}

export interface HostState {
  settings: ReadonlyMap<string, string | undefined>;
  routes: readonly Route[];
  /** What Docker's chain holds, as `iptables -S` prints it; undefined where there is no such chain. */
  dockerRules: readonly string[] | undefined;
}

export function computeSteps(
  config: Pick<HostNetworkConfig, "bridge" | "podCidr" | "serviceCidr">,
  actual: HostState,
): Step[] {
  const { bridge, podCidr, serviceCidr } = config;
  const steps: Step[] = [];
  for (const [setting, value] of actual.settings) {
    // Undefined: this kernel has no bridge filter, so that there is nothing to switch on.
    if (value !== undefined && value !== "1") steps.push({ type: "set", setting, value: "1" });
  }
  // A route before DNAT, for the machine's own connections, with an address that pods can answer.
  const toServices = actual.routes.some(
    ({ dst, dev, prefsrc }) =>
      dst === serviceCidr && dev === bridge.name && prefsrc === bridge.address,
  );
  if (!toServices) {
    const route = [serviceCidr, "dev", bridge.name, "src", bridge.address];
    steps.push({ type: "route", route });
  }
  // Pod addresses that no bridge here has must not follow the default route to somewhere else.
  const kept = actual.routes.some(({ type, dst }) => type === "unreachable" && dst === podCidr);
  if (!kept) {
    const route = ["unreachable", podCidr, "metric", String(lastMetric)];
    steps.push({ type: "route", route });
  }
  for (const rule of actual.dockerRules ? admissions(podCidr) : []) {
    if (!actual.dockerRules?.includes(`-A ${rule}`)) steps.push({ type: "admit", rule });
  }
  return steps;
}

export function createHostNetwork(config: HostNetworkConfig): HostNetwork {
  const { iptables } = config;
  return {
    async ensure() {
      const actual = {
        settings: await readSettings(),
        routes: await readRoutes(config.ip),
        dockerRules: await readDockerRules(iptables),
      };
      for (const step of computeSteps(config, actual)) {
        if (step.type === "set") {
          await config.onSetting(step.setting, actual.settings.get(step.setting) ?? "");
          await writeFile(`/proc/sys/${step.setting}`, step.value);
        } else if (step.type === "route") await run(config.ip, "route", "replace", ...step.route);
        else if (iptables) await run(iptables, "-w", "-I", ...step.rule.split(" "));
      }
    },
  };
}

/** Takes the routes away again; those that are gone already are no error. */
export async function removeHostRoutes(
  config: Pick<HostNetworkConfig, "ip" | "podCidr" | "serviceCidr">,
): Promise<void> {
  for (const route of await readRoutes(config.ip)) {
    const ours =
      route.dst === config.serviceCidr ||
      (route.type === "unreachable" && route.dst === config.podCidr);
    if (!ours) continue;
    const type = route.type === "unicast" ? [] : [route.type];
    await run(config.ip, "route", "del", ...type, route.dst);
  }
}

/** Takes the exceptions out of Docker's chain again. */
export async function removeAdmissions(
  config: Pick<HostNetworkConfig, "iptables" | "podCidr">,
): Promise<void> {
  const { iptables, podCidr } = config;
  const rules = (await readDockerRules(iptables)) ?? [];
  for (const rule of admissions(podCidr)) {
    if (iptables && rules.includes(`-A ${rule}`)) {
      await run(iptables, "-w", "-D", ...rule.split(" "));
    }
  }
}

/** Also undefined when nothing may be read: then there is nothing to be done about it either. */
async function readDockerRules(iptables: string | undefined): Promise<string[] | undefined> {
  if (iptables === undefined) return undefined;
  return run(iptables, "-w", "-S", dockerChain).then(
    (text) => text.split("\n"),
    () => undefined,
  );
}

async function readSettings(): Promise<Map<string, string | undefined>> {
  const values = new Map<string, string | undefined>();
  for (const setting of settings) {
    const text = await readFile(`/proc/sys/${setting}`, "utf8").catch(() => undefined);
    values.set(setting, text?.trim());
  }
  return values;
}

async function readRoutes(ip: string): Promise<Route[]> {
  return JSON.parse(await run(ip, "-json", "-details", "-4", "route", "show")) as Route[];
}

async function run(command: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, args)).stdout;
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")}: ${errorMessage(error)}`, { cause: error });
  }
}
