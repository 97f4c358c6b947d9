/** How new an answer must be: what `resourceVersion` asks of a read. */

import { apiError } from "../../manifests/api-error.ts";
import { type Store, StoreError } from "../../runtime/store/store.ts";

/** As long as upstream's watch cache waits (k8s: storage/cacher, blockTimeout). */
const waitMs = 3_000;
/** Who comes before the first load waits as long as he would be asked to stay away. */
const loadWaitSeconds = 1;

/** Undefined when none was given, which means the newest. */
export function parseResourceVersion(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw apiError(
      "BadRequest",
      `Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
    );
  }
  return Number(text);
}

/** Resolves once the store's view is as new as asked: newest, any (0), or at least a revision. */
export async function waitUntilFresh(store: Store, revision: number | undefined): Promise<void> {
  await waitUntilLoaded(store);
  try {
    if (revision === undefined) await store.consistent();
    else if (revision > store.view.revision) await store.reached(revision, waitMs);
  } catch (error) {
    if (error instanceof StoreError && error.code === "timeout" && revision !== undefined) {
      throw tooLarge(revision, store.view.revision);
    }
    throw storeUnavailable(error);
  }
}

const loaded = new WeakSet<Store>();

/**
 * A replica that has just started loads in a few milliseconds, as a rule: whoever asks meanwhile
 * (its own first tick, every informer of the process) is better off waiting than coming again.
 */
async function waitUntilLoaded(store: Store): Promise<void> {
  if (!loaded.has(store) && !store.ready) {
    await store.reached(0, loadWaitSeconds * 1_000).catch(() => undefined);
  }
  assertLoaded(store);
}

/** Nothing is read from a view before it was loaded; after that it may be old, but is whole. */
export function assertLoaded(store: Store): void {
  if (loaded.has(store)) return;
  if (!store.ready) {
    const details = { retryAfterSeconds: loadWaitSeconds };
    throw apiError("ServiceUnavailable", "the store is not loaded yet", details);
  }
  loaded.add(store);
}

/** k8s:apiserver/pkg/storage/errors.go NewTooLargeResourceVersionError; clients look for the cause. */
function tooLarge(revision: number, current: number): Error {
  return apiError("Timeout", `Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

/** Of a watch: k8s:apiserver/pkg/storage/cacher/watch_cache.go. */
export function tooOld(revision: number, floor: number): Error {
  return apiError("Expired", `too old resource version: ${revision} (${floor})`);
}

/** Of a list at exactly one revision: k8s:apiserver/pkg/storage/etcd3/errors.go. */
export function listTooOld(): Error {
  return apiError("Expired", "The resourceVersion for the provided list is too old.");
}

/** Anything else that the store says is told as it is. */
export function storeUnavailable(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const options = { cause: error };
  switch (error.code) {
    case "timeout":
      return apiError("Timeout", `the store did not answer in time: ${error.message}`, {}, options);
    case "too-large":
      return apiError(
        "RequestEntityTooLarge",
        `Request entity too large: ${error.message}`,
        {},
        options,
      );
    case "expired":
      return apiError("Expired", error.message, {}, options);
    default:
      return apiError(
        "ServiceUnavailable",
        `the store is unavailable: ${error.message}`,
        { retryAfterSeconds: 1 },
        options,
      );
  }
}
