/**
 * Brings one Pod's status to the API: only what changed, only the newest, one request at a time.
 * A write says which resourceVersion it began from: a request that arrives twice may arrive the
 * second time after the next one, and would take a pod back to what it no longer is.
 */

import equal from "fast-deep-equal/es6/index.js";
import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Pod, type PodStatus } from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Api } from "../kit/client.ts";
import { keyOf } from "../kit/object.ts";

const firstRetryMs = 200;
const longestRetryMs = 10_000;

export interface StatusWriterOptions {
  api: Api;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  #known: Pod;
  #wanted: PodStatus | undefined;
  #writing: Promise<void> | undefined;
  #gone = false;

  constructor(pod: Pod, options: StatusWriterOptions) {
    this.#known = pod;
    this.#options = options;
  }

  /** The Pod as the API has it; its status may have been changed by others. */
  seen(pod: Pod): void {
    if (!this.#writing) this.#known = pod;
  }

  /** What the API has, with what we are about to write. */
  get current(): PodStatus {
    return this.#wanted ?? this.#known.status ?? {};
  }

  set(status: PodStatus): void {
    this.#wanted = status;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when what was set last is written, or the Pod is gone. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #write(): Promise<void> {
    const { api, clock, log, signal } = this.#options;
    for (let retryMs = firstRetryMs; this.#wanted && !this.#gone && !signal.aborted; ) {
      const wanted = this.#wanted;
      const change = mergePatch(this.#known.status ?? {}, wanted);
      if (change === undefined) {
        this.#wanted = undefined;
        return;
      }
      const { uid, resourceVersion } = this.#known.metadata;
      try {
        const patch = { metadata: { uid, resourceVersion }, status: change };
        const options = { type: "merge", subresource: "status" } as const;
        this.#known = await api.patch(Pod, keyOf(this.#known), patch, options);
        // A newer one may have come in meanwhile.
        if (this.#wanted === wanted) this.#wanted = undefined;
        retryMs = firstRetryMs;
      } catch (error) {
        if (isNotFound(error)) this.#gone = true;
        else if (isConflict(error) && (await this.#lookAgain())) continue;
        else if (!signal.aborted) {
          log.debug("Status not written yet", { error: errorMessage(error) });
          await clock.sleep(retryMs, signal).catch(() => undefined);
          retryMs = Math.min(2 * retryMs, longestRetryMs);
        }
      }
    }
  }

  /** Somebody else wrote the Pod, or another Pod has its name. False: it could not be found out. */
  async #lookAgain(): Promise<boolean> {
    const { uid } = this.#known.metadata;
    try {
      const pod = await this.#options.api.get(Pod, keyOf(this.#known));
      if (pod.metadata.uid === uid) this.#known = pod;
      else this.#gone = true;
      return true;
    } catch (error) {
      this.#gone = isNotFound(error);
      return this.#gone;
    }
  }
}

/** An RFC 7386 merge patch that leads from one to the other; undefined when they are equal. */
export function mergePatch(before: object, after: object): object | undefined {
  const patch: Record<string, unknown> = {};
  const old = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(after)) {
    const was = old.get(key);
    old.delete(key);
    if (value === undefined) {
      if (was !== undefined) patch[key] = null;
    } else if (isRecord(was) && isRecord(value)) {
      const inner = mergePatch(was, value);
      if (inner !== undefined) patch[key] = inner;
    } else if (!equal(was, value)) patch[key] = value;
  }
  for (const [key, was] of old) if (was !== undefined) patch[key] = null;
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
