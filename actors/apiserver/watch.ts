/**
 * WATCH: changes of one resource as frames, one JSON document per line. Both doors open watches
 * here and carry the frames their own way.
 */

import { type ApiError, apiError } from "../../manifests/api-error.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import { type Change, type ChangeStream, StoreError } from "../../runtime/store/store.ts";
import type { FieldIndexes } from "./field-index.ts";
import { tooOld, waitUntilFresh } from "./freshness.ts";
import { watchOptions } from "./list-options.ts";
import type { PaceContext } from "./pace.ts";
import { type FrameType, frame, presentBookmark, presentChange, presentFrame } from "./present.ts";
import { prepareAll } from "./read.ts";
import { prefixOf, type Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";
import { type Selection, selected, selectionOf } from "./selection.ts";

export interface WatchSink {
  /** One or more whole lines. */
  frames(bytes: Uint8Array): void;
  /**
   * Asked while the watch begins with what is there, which is sent no faster than it is taken.
   * False: the watcher is gone.
   */
  room?(): Promise<boolean>;
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

export interface WatchContext extends PaceContext {
  readonly indexes: FieldIndexes;
  readonly clock: Clock;
}

/**
 * Rejects when the watch cannot begin. The current state comes first when no resourceVersion, or
 * 0, was given, or when `sendInitialEvents` asks for it; a bookmark marks its end.
 */
export async function openWatch(
  context: WatchContext,
  resource: Resource,
  request: ApiRequest,
  sink: WatchSink,
): Promise<OpenedWatch> {
  const options = watchOptions(request.query);
  const { revision, fromState, bookmarks, timeoutSeconds } = options;
  const selection = selectionOf(resource, request);
  await waitUntilFresh(resource.store, revision);

  const watch = new Watch(context, resource, request, selection, bookmarks, sink);
  if (fromState) await watch.startFromState();
  else await watch.startFrom(revision || resource.store.view.revision);
  if (timeoutSeconds) watch.endAfter(timeoutSeconds * 1000);
  watch.endWithDefinition();
  return watch;
}

class Watch implements OpenedWatch {
  readonly #context: WatchContext;
  readonly #resource: Resource;
  readonly #request: ApiRequest;
  readonly #selection: Selection | undefined;
  readonly #sink: WatchSink;
  readonly #bookmarks: boolean;
  #changes: ChangeStream | undefined;
  #definition: ChangeStream | undefined;
  /** Ends once what came before has been told; undefined while everything can be told at once. */
  #told: Promise<void> | undefined;
  #timer: Timer | undefined;
  #ended = false;

  constructor(
    context: WatchContext,
    resource: Resource,
    request: ApiRequest,
    selection: Selection | undefined,
    bookmarks: boolean,
    sink: WatchSink,
  ) {
    this.#context = context;
    this.#resource = resource;
    this.#request = request;
    this.#selection = selection;
    this.#sink = sink;
    this.#bookmarks = bookmarks;
  }

  async startFromState(): Promise<void> {
    const { objects, indexes } = this.#context;
    const resource = this.#resource;
    const selection = this.#selection;
    const prefix = prefixOf(resource, this.#request.namespace);
    const snapshot = await indexes.snapshot(resource, this.#request, prefix, selection);
    await prepareAll(this.#context, resource, snapshot);
    for await (const entry of selected(this.#context, resource, selection, snapshot)) {
      this.#sink.frames(presentFrame(objects, resource, "ADDED", entry, this.#request));
      if ((await this.#sink.room?.()) === false) this.close();
      if (this.#ended) return;
    }
    if (this.#bookmarks) this.#bookmark(snapshot.revision, { "k8s.io/initial-events-end": "true" });
    // What has changed since is still in the window, unless the watcher took too long.
    await this.startFrom(snapshot.revision);
  }

  async startFrom(revision: number): Promise<void> {
    const { view } = this.#resource.store;
    const prefix = prefixOf(this.#resource, this.#request.namespace);
    const onChange = (change: Change) => this.#changed(change);
    try {
      const { indexes } = this.#context;
      const selection = this.#selection;
      const converts = this.#resource.custom?.form.convert !== undefined;
      if (selection && !converts) await indexes.prepare(this.#resource, prefix, revision);
      this.#changes = indexes.subscribe(this.#resource, prefix, selection, revision, onChange);
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

  /** What a custom kind's watcher is told is in the words of a definition that does not change meanwhile. */
  endWithDefinition(): void {
    this.#definition = this.#resource.custom?.follow(() => this.close());
    if (this.#ended) this.#definition?.close();
  }

  bookmark(): void {
    if (!this.#bookmarks) return;
    const { revision } = this.#resource.store.view;
    const send = () => {
      if (!this.#ended) this.#bookmark(revision);
    };
    if (this.#told) this.#told = this.#told.then(send);
    else send();
  }

  fail(error: ApiError): void {
    if (this.#ended) return;
    this.#sink.frames(errorFrame(error, this.#request));
    this.close();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#changes?.close();
    this.#definition?.close();
    this.#timer?.dispose();
    this.#sink.end();
  }

  /** In the order of the changes, also when some must be asked about elsewhere first. */
  #changed(change: Change): void {
    const { value, previous } = change;
    const values = previous ? [value, previous] : [value];
    const soon = this.#context.objects.prepare(this.#resource, values);
    if (!soon && !this.#told) {
      this.#tell(change);
      return;
    }
    const before = this.#told;
    this.#told = (async () => {
      try {
        await soon;
      } catch (error) {
        await before;
        this.#failWith(error);
      }
      await before;
      this.#tell(change);
    })();
  }

  #tell(change: Change): void {
    if (this.#ended) return;
    try {
      const type = this.#typeFor(change);
      if (!type) return;
      const { objects } = this.#context;
      this.#sink.frames(presentChange(objects, this.#resource, type, change, this.#request));
    } catch (error) {
      // One object that cannot be shown must not be skipped in silence: the watcher lists again.
      this.#failWith(error);
    }
  }

  #failWith(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.fail(apiError("InternalError", why, undefined, { cause: error }));
  }

  /** As this watcher sees it: an object that leaves the selector is deleted, one that enters added. */
  #typeFor(change: Change): FrameType | undefined {
    if (!this.#selection) return frameTypes[change.type];
    const wasIn = change.previous !== undefined && this.#means(change.previous);
    const isIn = change.type !== "deleted" && this.#means(change.value);
    if (isIn) return wasIn ? "MODIFIED" : "ADDED";
    return wasIn ? "DELETED" : undefined;
  }

  #means(value: Uint8Array): boolean {
    const { objects } = this.#context;
    return this.#selection?.matches(objects.columns(this.#resource, value)) ?? true;
  }

  #bookmark(revision: number, annotations?: Record<string, string>): void {
    const metadata = { resourceVersion: String(revision), creationTimestamp: null, annotations };
    this.#sink.frames(presentBookmark(this.#resource, metadata, this.#request));
  }
}

const noOptions = new URLSearchParams();

const frameTypes: Readonly<Record<Change["type"], FrameType>> = {
  added: "ADDED",
  modified: "MODIFIED",
  deleted: "DELETED",
};

export function errorFrame(error: ApiError, { encoding }: ApiRequest): Uint8Array {
  return frame("ERROR", error.status, { form: "object", query: noOptions, encoding });
}
