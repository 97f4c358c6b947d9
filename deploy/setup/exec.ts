import { execFile } from "node:child_process";

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; throws with the command line and what it said on stderr. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; input?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.env, LC_ALL: "C" },
        timeout: options.timeoutMs,
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (!error) return resolve({ stdout, stderr });
        const said = (stderr || stdout).trim();
        const line = [command, ...args].join(" ");
        reject(
          new Error(said ? `${line}: ${said}` : `${line}: ${error.message}`, { cause: error }),
        );
      },
    );
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** What a command prints, on either stream, or undefined when it cannot be run at all. */
export async function tryRun(
  command: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(command, args, { timeoutMs: 20_000 });
    return stdout + stderr;
  } catch {
    return undefined;
  }
}
