/** Keys of the NATS users: made once for each role, kept in the data folder, readable by its owner. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nkeys } from "nats";
import { nkeyOf } from "../../runtime/nkey.ts";
import { fileNameOf, principalOf, type Role } from "./roles.ts";

export interface Credentials {
  readonly role: Role | "system";
  readonly principal: string;
  /** The secret. `nats --nkey <file>` takes the file as it is. */
  readonly seed: string;
  readonly publicKey: string;
  readonly file: string;
}

/** Where the keys of a data folder lie. */
export function credentialsDir(dataDir: string): string {
  return join(dataDir, "creds");
}

/** Reads a role's key, and makes it when there is none yet. */
export async function ensureCredentials(
  dataDir: string,
  role: Role | "system",
): Promise<Credentials> {
  const folder = credentialsDir(dataDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${role === "system" ? role : fileNameOf(role)}.nk`);
  const seed = (await readSeed(file)) ?? (await makeSeed(file));
  const { publicKey } = nkeyOf(seed);
  const principal = role === "system" ? "system" : principalOf(role);
  return { role, principal, seed, publicKey, file };
}

async function readSeed(file: string): Promise<string | undefined> {
  try {
    const seed = (await readFile(file, "utf8")).trim();
    await chmod(file, 0o600);
    return seed === "" ? undefined : seed;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function makeSeed(file: string): Promise<string> {
  const seed = new TextDecoder().decode(nkeys.createUser().getSeed());
  await writeFile(file, `${seed}\n`, { mode: 0o600 });
  return seed;
}
