/** A watch as one HTTP answer without end: frames as they come, while the client keeps up. */

import { ApiError, apiError } from "../../../manifests/api-error.ts";
import { protobufType } from "../decode.ts";
import { watchWindowBytes } from "../messages.ts";
import type { Pipeline } from "../pipeline.ts";
import type { ApiRequest } from "../request.ts";
import { errorFrame, type OpenedWatch } from "../watch.ts";
import type { Exchange } from "./exchange.ts";
import type { Site } from "./site.ts";

/** Rejects, with nothing sent, when the watch cannot begin. */
export async function serveWatch(
  exchange: Exchange,
  request: ApiRequest,
  pipeline: Pipeline,
  site: Site,
  stallMs: number,
): Promise<void> {
  const answer = new WatchAnswer(exchange, contentTypeOf(request), stallMs);
  try {
    answer.follow(await pipeline.watch(request, answer), site);
  } catch (error) {
    // As upstream's watch cache says that a revision is gone: within the stream.
    if (!(error instanceof ApiError) || error.reason !== "Expired") throw error;
    answer.frames(errorFrame(error, request));
    answer.end();
  }
}

function contentTypeOf({ encoding }: ApiRequest): string {
  return encoding === "protobuf" ? `${protobufType};stream=watch` : "application/json";
}

class WatchAnswer {
  readonly #exchange: Exchange;
  readonly #contentType: string;
  readonly #stallMs: number;
  #watch: OpenedWatch | undefined;
  #began = false;
  #congested = false;
  #unsentBytes = 0;

  constructor(exchange: Exchange, contentType: string, stallMs: number) {
    this.#exchange = exchange;
    this.#contentType = contentType;
    this.#stallMs = stallMs;
    exchange.limitStall(stallMs);
  }

  follow(watch: OpenedWatch, site: Site): void {
    this.#begin();
    this.#watch = watch;
    // From here on it is for want of changes that nothing moves.
    this.#exchange.limitStall(0);
    if (this.#exchange.closed) {
      watch.close();
      return;
    }
    const stop = site.bookmarks(() => watch.bookmark());
    this.#exchange.onClose(() => {
      stop();
      watch.close();
    });
  }

  frames(bytes: Uint8Array): void {
    this.#begin();
    if (this.#congested) this.#unsentBytes += bytes.length;
    if (!this.#exchange.write(bytes) && !this.#congested) this.#waitForRoom();
    // What the watch begins with waits for room; later, who is so far behind lists again.
    if (this.#unsentBytes <= watchWindowBytes || !this.#watch) return;
    this.#unsentBytes = 0;
    this.#watch.fail(apiError("Expired", "the watcher is too slow; list again"));
  }

  async room(): Promise<boolean> {
    if (this.#congested) await this.#exchange.drained();
    return !this.#exchange.closed;
  }

  end(): void {
    this.#begin();
    this.#exchange.limitStall(this.#stallMs);
    this.#exchange.end();
  }

  /** Also before the first frame: that the watch has begun is news enough. */
  #begin(): void {
    if (this.#began) return;
    this.#began = true;
    const headers = { "content-type": this.#contentType, "cache-control": "no-cache, private" };
    this.#exchange.head(200, headers);
  }

  #waitForRoom(): void {
    this.#congested = true;
    void this.#exchange.drained().then(() => {
      this.#congested = false;
      this.#unsentBytes = 0;
    });
  }
}
