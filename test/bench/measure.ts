/** What benches share: timing, medians, what a process uses, and how a table is printed. */
import { readdir, readFile } from "node:fs/promises";

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

export interface Usage {
  /** Proportional set size: pages shared by several processes count once among them. */
  memoryBytes: number;
  cpuSeconds: number;
}

const ticksPerSecond = 100;

/** What some processes use together now; CPU since each of them started. */
export async function usageOf(pids: readonly number[]): Promise<Usage> {
  const total = { memoryBytes: 0, cpuSeconds: 0 };
  for (const pid of pids) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
    total.memoryBytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) * 1_024;
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    total.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }
  return total;
}

/** A process's children, by program name. */
export async function childrenOf(parent: number): Promise<{ pid: number; name: string }[]> {
  const children: { pid: number; name: string }[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const match = /^(\d+) \((.*)\) \S (\d+)/.exec(stat);
    if (match && Number(match[3]) === parent) {
      children.push({ pid: Number(match[1]), name: match[2] ?? "" });
    }
  }
  return children;
}

export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

export function printSpread(what: string, samples: readonly number[], target?: string): void {
  const { median, min, max } = spread(samples);
  const text = `${median.toFixed(0)} ms (${min.toFixed(0)} to ${max.toFixed(0)})`;
  print(`${what.padEnd(58)}${text.padEnd(28)}${target ? `target ${target}` : ""}`);
}
