/** Docker's event stream, as hints for the kubelet to look again. */

import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type Docker from "dockerode";
import type { EngineEvent, EventStream } from "../../engine.ts";
import { toEngineError } from "./errors.ts";
import { label, type Owner, ownerFilter } from "./labels.ts";

interface DockerEvent {
  Action?: string;
  Actor?: { ID?: string; Attributes?: Record<string, string> };
  timeNano?: number;
}

/** Only what changes a state: each exec of a probe would otherwise bring three more. */
const actions = ["start", "die", "oom", "destroy", "pause", "unpause"];

/** Where the last stream stopped: nanoseconds of Docker's own clock. */
export interface EventCursor {
  since: number | undefined;
}

export function openEvents(
  docker: Docker,
  owner: Owner,
  cursor: EventCursor,
  onEvent: (event: EngineEvent) => void,
  onEnd: (error?: Error) => void,
): EventStream {
  let source: Readable | undefined;
  let ended = false;
  function end(error?: unknown): void {
    if (ended) return;
    ended = true;
    source?.destroy();
    onEnd(error === undefined ? undefined : toEngineError(error));
  }
  const filters = { type: ["container"], event: actions, label: ownerFilter(owner) };
  const since = cursor.since === undefined ? {} : { since: cursor.since / 1e9 };
  docker.getEvents({ filters: JSON.stringify(filters), ...since }).then(
    (stream) => {
      source = stream as Readable;
      if (ended) return void source.destroy();
      source.on("error", end);
      source.on("close", () => end());
      readLines(source, (line) => {
        const event = parseEvent(line, cursor);
        if (event && !ended) onEvent(event);
      });
    },
    (error: unknown) => end(error),
  );
  return {
    close() {
      ended = true;
      source?.destroy();
    },
  };
}

function parseEvent(line: string, cursor: EventCursor): EngineEvent | undefined {
  const event = parse(line);
  if (!event?.Actor?.ID || !event.Action) return undefined;
  if (event.timeNano) cursor.since = event.timeNano;
  const isSandbox = event.Actor.Attributes?.[label.kind] === "sandbox";
  return { type: isSandbox ? "sandbox" : "container", id: event.Actor.ID, action: event.Action };
}

function parse(line: string): DockerEvent | undefined {
  try {
    return JSON.parse(line) as DockerEvent;
  } catch {
    // Half a line, at the end of a connection that broke; the relist after it knows more.
    return undefined;
  }
}

function readLines(source: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  source.on("data", (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line) onLine(line);
  });
}
