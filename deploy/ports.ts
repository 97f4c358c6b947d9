/** Ports of this machine: finding free ones, and saying who holds the others. */
import { createServer } from "node:net";
import { portHolder } from "./processes.ts";

/** A port that was free a moment ago. */
export async function freePort(host: string): Promise<number> {
  return listenOnce(host, 0);
}

/** Resolves to the port when it can be listened on; rejects naming who holds it. */
export async function assertPortFree(host: string, port: number, what: string): Promise<void> {
  try {
    await listenOnce(host, port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EADDRINUSE") {
      throw new Error(`cannot listen on ${host}:${port} (${what}): ${code}`, { cause: error });
    }
    const holder = await portHolder(port);
    const who = holder ? `process ${holder.pid} (${holder.command})` : "another process";
    throw new Error(`port ${port} (${what}) is in use by ${who}`, { cause: error });
  }
}

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === "object" && address ? address.port : port;
      server.close(() => resolve(bound));
    });
  });
}
