/** What one data folder remembers of its cluster from one start to the next. */
import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface ClusterIdentity {
  /** Names everything that this cluster makes on the machine. */
  readonly id: string;
  readonly httpsPort: number;
  readonly natsPort: number;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly nodes: readonly string[];
  /** The socket of the Docker it runs on, where that is somebody else's. */
  readonly foreignDocker?: string;
}

/** The nftables table of a cluster. */
export function tableOf(identity: Pick<ClusterIdentity, "id">): string {
  return `wherry_${identity.id}`;
}

export function newClusterId(): string {
  return randomBytes(4).toString("hex");
}

export async function readIdentity(dataDir: string): Promise<ClusterIdentity | undefined> {
  try {
    return JSON.parse(await readFile(join(dataDir, "cluster.json"), "utf8")) as ClusterIdentity;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeIdentity(dataDir: string, identity: ClusterIdentity): Promise<void> {
  const path = join(dataDir, "cluster.json");
  await writeFile(`${path}.new`, `${JSON.stringify(identity, null, 2)}\n`);
  await rename(`${path}.new`, path);
}
