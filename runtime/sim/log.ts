/** Logs of a simulation, kept to be asked about and printed when a seed fails. */

import type { Log } from "../log.ts";

export interface SimLogEntry {
  readonly atMs: number;
  readonly level: "error" | "warn" | "info" | "debug" | "trace";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface SimLog extends Log {
  /** The newest entries, oldest first; the oldest are forgotten beyond 20,000. */
  readonly entries: readonly SimLogEntry[];
  /** For a person: one line an entry. */
  format(options?: { last?: number; level?: SimLogEntry["level"] }): string;
}

const keptEntries = 20_000;
const levels = ["error", "warn", "info", "debug", "trace"] as const;

export function createSimLog(now: () => number): SimLog {
  const entries: SimLogEntry[] = [];

  function keep(level: SimLogEntry["level"], message: string, fields: object): void {
    entries.push({ atMs: now(), level, message, fields: { ...fields } });
    // Forgetting a half at a time keeps the cost of an entry constant.
    if (entries.length > 2 * keptEntries) entries.splice(0, keptEntries);
  }

  function logWith(inherited: object): Log {
    const at =
      (level: SimLogEntry["level"]) =>
      (message: string, fields: object = {}): void =>
        keep(level, message, { ...inherited, ...fields });
    return {
      error: at("error"),
      warn: at("warn"),
      info: at("info"),
      debug: at("debug"),
      trace: at("trace"),
      child: (fields) => logWith({ ...inherited, ...fields }),
    };
  }

  return {
    ...logWith({}),
    entries,
    format({ last = 200, level = "trace" } = {}) {
      const shown = entries.filter((entry) => levels.indexOf(entry.level) <= levels.indexOf(level));
      return shown.slice(-last).map(formatEntry).join("\n");
    },
  };
}

function formatEntry({ atMs, level, message, fields }: SimLogEntry): string {
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  return `${atMs.toFixed(3).padStart(12)} ${level.padEnd(5)} ${message} ${shown.join(" ")}`;
}

function formatValue(value: unknown): string {
  if (value instanceof Error) {
    const cause = value.cause === undefined ? "" : ` <- ${formatValue(value.cause)}`;
    return `${value.name}: ${value.message}${cause}`;
  }
  return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
}
