/**
 * What the machine's own network must have for pods and Services: forwarding, and two routes that
 * keep their addresses on this machine. `computeSteps` decides, `ensure` carries out.
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
  | { type: "route"; route: string[] };

/** What forwarding between pods, and DNAT between pods on one bridge, need of the kernel. */
const settings = ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"] as const;

/** Behind every route that somebody makes on purpose. */
const lastMetric = 4_096;

export function computeSteps(
  config: Pick<HostNetworkConfig, "bridge" | "podCidr" | "serviceCidr">,
  actual: { settings: ReadonlyMap<string, string | undefined>; routes: readonly Route[] },
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
  return steps;
}

export function createHostNetwork(config: HostNetworkConfig): HostNetwork {
  return {
    async ensure() {
      const actual = { settings: await readSettings(), routes: await readRoutes(config.ip) };
      for (const step of computeSteps(config, actual)) {
        if (step.type === "set") {
          await config.onSetting(step.setting, actual.settings.get(step.setting) ?? "");
          await writeFile(`/proc/sys/${step.setting}`, step.value);
        } else await run(config.ip, "route", "replace", ...step.route);
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
