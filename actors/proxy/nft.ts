import { spawn } from "node:child_process";
import { errorMessage } from "../../runtime/errors.ts";

/** What carries the proxy's rules to the kernel. The simulated node has none of it. */
export interface Rules {
  /** Runs one script as one transaction: all of it happens, or nothing. */
  apply(script: string): Promise<void>;
  /** True while the table is there; somebody else's `flush ruleset` takes it away. */
  present(table: string): Promise<boolean>;
}

export class RulesError extends Error {
  override name = "RulesError";
}

/** Drives the `nft` command. `command` may begin with what enters another network namespace. */
export function nftRules(command: readonly [string, ...string[]]): Rules {
  return {
    async apply(script) {
      if (script !== "") await run(command, ["-f", "-"], script);
    },
    async present(table) {
      try {
        await run(command, ["list", "chain", "ip", table, "prerouting"], "");
        return true;
      } catch (error) {
        if (errorMessage(error).includes("No such file or directory")) return false;
        throw error;
      }
    },
  };
}

function run(command: readonly [string, ...string[]], args: string[], input: string) {
  const [file, ...first] = command;
  return new Promise<void>((resolve, reject) => {
    const child = spawn(file, [...first, ...args], { stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said = (said + text).slice(0, 2_000);
    });
    child.on("error", (error) => reject(new RulesError(`Cannot run ${file}`, { cause: error })));
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new RulesError(`nft ${args.join(" ")} exited with ${code}: ${said.trim()}`));
    });
    child.stdin.on("error", () => {}); // It closed its input early; its exit code says why.
    child.stdin.end(input);
  });
}
