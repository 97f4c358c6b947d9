import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ensureTools } from "../../deploy/setup/index.ts";

const run = promisify(execFile);

/** A network namespace of the test's own: addresses, routes and rules in it reach nobody else. */
export interface NetworkNamespace extends AsyncDisposable {
  readonly name: string;
  /** What to put before a command so that it runs inside. */
  readonly enter: readonly [string, ...string[]];
  /** Runs `ip` inside. */
  ip(...args: string[]): Promise<string>;
  /** Runs a command inside and returns its standard output. */
  run(file: string, ...args: string[]): Promise<string>;
}

let count = 0;

export async function createNetworkNamespace(): Promise<NetworkNamespace> {
  const name = `wherry-test-${process.pid}-${++count}`;
  const { ip } = await ensureTools({ needs: ["ip"], install: true, log: () => undefined });
  await run(ip, ["netns", "add", name]);
  // `ip netns exec` would remount /sys; nsenter leaves everything but the network alone.
  const enter = ["nsenter", `--net=/run/netns/${name}`] as const;
  const inside = async (file: string, ...args: string[]) => {
    const [command, ...first] = enter;
    return (await run(command, [...first, file, ...args])).stdout;
  };
  await inside(ip, "link", "set", "lo", "up");
  return {
    name,
    enter,
    ip: (...args) => inside(ip, ...args),
    run: inside,
    [Symbol.asyncDispose]: async () => {
      await run(ip, ["netns", "del", name]);
    },
  };
}
