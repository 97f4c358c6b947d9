/**
 * Who runs on a data folder beside its `wherry up`: the children that may outlive it, and every
 * `wherry run`. One file for each, so that the next Wherry, or `wherry down`, finds them.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endProcess, isSameProcess, type ProcessIdentity, processIdentity } from "./processes.ts";

/** Where a record lies: `<runDir>/<name>.json`. */
export interface RecordPlace {
  readonly name: string;
  readonly runDir: string;
}

export interface ProcessRecord extends ProcessIdentity {
  readonly name: string;
  readonly command: string;
  /** What a running child must share to be adopted; empty for a process that nobody adopts. */
  readonly fingerprint: string;
}

export function runDirOf(dataDir: string): string {
  return join(dataDir, "run");
}

export async function readRecord(place: RecordPlace): Promise<ProcessRecord | undefined> {
  try {
    return JSON.parse(await readFile(pathOf(place), "utf8")) as ProcessRecord;
  } catch {
    // Absent, or torn by a crash while it was written: either way there is nobody to adopt.
    return undefined;
  }
}

/** Of the process that asks, which nobody adopts. */
export async function recordOfThisProcess(name: string): Promise<ProcessRecord> {
  const identity = await processIdentity(process.pid);
  if (!identity) throw new Error("this process is not in /proc");
  return { ...identity, name, command: process.argv.slice(1).join(" "), fingerprint: "" };
}

export async function writeRecord(place: RecordPlace, record: ProcessRecord): Promise<void> {
  const path = pathOf(place);
  await mkdir(place.runDir, { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function removeRecord(place: RecordPlace): Promise<void> {
  await rm(pathOf(place), { force: true });
}

/** The names of the records in a folder that begin so. */
export async function recordNames(runDir: string, prefix: string): Promise<string[]> {
  const files = await readdir(runDir).catch(() => []);
  const records = files.filter((it) => it.startsWith(prefix) && it.endsWith(".json"));
  return records.map((file) => file.slice(0, -".json".length));
}

/** The recorded process, if it still runs. */
export async function runningRecord(place: RecordPlace): Promise<ProcessRecord | undefined> {
  const record = await readRecord(place);
  return record && (await isSameProcess(record)) ? record : undefined;
}

/** Ends the recorded process, if it still runs, and forgets it. */
export async function stopRecorded(place: RecordPlace, timeoutMs: number): Promise<void> {
  const record = await runningRecord(place);
  if (record) await endProcess(record, timeoutMs);
  await removeRecord(place);
}

function pathOf({ name, runDir }: RecordPlace): string {
  return join(runDir, `${name}.json`);
}
