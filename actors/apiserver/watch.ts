/**
 * WATCH: changes of one resource as frames, one JSON document per line. Both doors open watches
 * here and carry the frames their own way.
 */

import { type ApiError, apiError } from "../../manifests/api-error.ts";
import type { KubeObject } from "../../manifests/index.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import { type Change, type ChangeStream, StoreError } from "../../runtime/store/store.ts";
import { parseResourceVersion, tooOld, waitUntilFresh } from "./freshness.ts";
import type { Objects } from "./objects.ts";
import { type FrameType, frame, presentFrame } from "./present.ts";
import { prefixOf, type Resource } from "./registry/registry.ts";
import { type ApiRequest, booleanOption, numberOption } from "./request.ts";
import { type Selector, selectorOf } from "./selection.ts";

export interface WatchSink {
  /** One or more whole lines. */
  frames(bytes: Uint8Array): void;
  /** Nothing more will come; with an error, an ERROR frame has just said so. */
  end(): void;
}

export interface OpenedWatch {
  /** Sends a BOOKMARK with the newest revision: everything up to it has been sent. */
  bookmark(): void;
  /** Ends the watch with an ERROR frame. */
  fail(error: ApiError): void;
  close(): void;
}

export interface WatchContext {
  readonly objects: Objects;
  readonly clock: Clock;
}

/**
 * Rejects when the watch cannot begin. The current state comes first when no resourceVersion, or
 * 0, was given, or when `sendInitialEvents` asks for it.
 */
export async function openWatch(
  context: WatchContext,
  resource: Resource,
  request: ApiRequest,
  sink: WatchSink,
): Promise<OpenedWatch> {
  const { query } = request;
  const revision = parseResourceVersion(query.get("resourceVersion"));
  const selector = selectorOf(resource, request);
  const initialEvents = booleanOption(query, "sendInitialEvents");
  const timeoutSeconds = numberOption(query, "timeoutSeconds");
  await waitUntilFresh(resource.store, revision);

  const watch = new Watch(context, resource, request, selector, sink);
  const fromState = initialEvents || revision === undefined || revision === 0;
  if (fromState) watch.startFromState(initialEvents);
  else watch.startFrom(revision);
  if (timeoutSeconds) watch.endAfter(timeoutSeconds * 1000);
  return watch;
}

class Watch implements OpenedWatch {
  readonly #context: WatchContext;
  readonly #resource: Resource;
  readonly #request: ApiRequest;
  readonly #selector: Selector | undefined;
  readonly #sink: WatchSink;
  readonly #bookmarks: boolean;
  #changes: ChangeStream | undefined;
  #timer: Timer | undefined;
  #ended = false;

  constructor(
    context: WatchContext,
    resource: Resource,
    request: ApiRequest,
    selector: Selector | undefined,
    sink: WatchSink,
  ) {
    this.#context = context;
    this.#resource = resource;
    this.#request = request;
    this.#selector = selector;
    this.#sink = sink;
    this.#bookmarks = booleanOption(request.query, "allowWatchBookmarks");
  }

  startFromState(markEnd: boolean): void {
    const { objects } = this.#context;
    const prefix = prefixOf(this.#resource, this.#request.namespace);
    const snapshot = this.#resource.store.view.snapshot(prefix);
    for (const entry of snapshot.range()) {
      if (this.#selector && !this.#selector(objects.parsed(this.#resource, entry))) continue;
      this.#sink.frames(presentFrame(objects, this.#resource, "ADDED", entry, this.#request));
    }
    if (markEnd) this.#bookmark(snapshot.revision, { "k8s.io/initial-events-end": "true" });
    this.startFrom(snapshot.revision);
  }

  startFrom(revision: number): void {
    const { view } = this.#resource.store;
    const prefix = prefixOf(this.#resource, this.#request.namespace);
    try {
      this.#changes = view.subscribe(prefix, revision, (change) => this.#changed(change));
    } catch (error) {
      if (error instanceof StoreError && error.code === "expired")
        throw tooOld(revision, view.floor);
      throw error;
    }
    if (this.#ended) this.#changes.close();
  }

  endAfter(delayMs: number): void {
    this.#timer = this.#context.clock.setTimer(delayMs, () => {
      this.bookmark();
      this.close();
    });
  }

  bookmark(): void {
    if (this.#bookmarks) this.#bookmark(this.#resource.store.view.revision);
  }

  fail(error: ApiError): void {
    if (this.#ended) return;
    this.#sink.frames(frame("ERROR", error.status));
    this.close();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#changes?.close();
    this.#timer?.dispose();
    this.#sink.end();
  }

  #changed(change: Change): void {
    if (this.#ended) return;
    try {
      const type = this.#typeFor(change);
      if (!type) return;
      this.#sink.frames(
        presentFrame(this.#context.objects, this.#resource, type, change, this.#request),
      );
    } catch (error) {
      // One object that cannot be shown must not be skipped in silence: the watcher lists again.
      const why = error instanceof Error ? error.message : String(error);
      this.fail(apiError("InternalError", why, undefined, { cause: error }));
    }
  }

  /** As this watcher sees it: an object that leaves the selector is deleted, one that enters added. */
  #typeFor(change: Change): FrameType | undefined {
    if (!this.#selector) return frameTypes[change.type];
    const { objects } = this.#context;
    const before = objects.parsedPrevious(this.#resource, change);
    const wasIn = before !== undefined && this.#selector(before);
    const isIn = change.type !== "deleted" && this.#isIn(objects.parsed(this.#resource, change));
    if (isIn) return wasIn ? "MODIFIED" : "ADDED";
    return wasIn ? "DELETED" : undefined;
  }

  #isIn(object: KubeObject): boolean {
    return this.#selector === undefined || this.#selector(object);
  }

  #bookmark(revision: number, annotations?: Record<string, string>): void {
    const { kind, apiVersion } = this.#resource.kind;
    const metadata = { resourceVersion: String(revision), creationTimestamp: null, annotations };
    this.#sink.frames(frame("BOOKMARK", { kind, apiVersion, metadata }));
  }
}

const frameTypes: Readonly<Record<Change["type"], FrameType>> = {
  added: "ADDED",
  modified: "MODIFIED",
  deleted: "DELETED",
};

export function errorFrame(error: ApiError): Uint8Array {
  return frame("ERROR", error.status);
}
