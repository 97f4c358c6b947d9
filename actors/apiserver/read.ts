/** GET and LIST: bytes from the store's view, copied with their resourceVersion spliced in. */

import { notFound } from "../../manifests/api-error.ts";
import type { Entry } from "../../runtime/store/store.ts";
import type { Page, Pages } from "./continue.ts";
import { assertLoaded, parseResourceVersion, tooOld, waitUntilFresh } from "./freshness.ts";
import type { Objects } from "./objects.ts";
import { snapshotAt } from "./past.ts";
import { presentList, presentObject } from "./present.ts";
import { entryOf, nameOf, prefixOf, type Resource } from "./registry/registry.ts";
import { type ApiReply, type ApiRequest, bytesReply, numberOption } from "./request.ts";
import { selectorOf } from "./selection.ts";

/** Objects looked at before others get a turn, when each must be parsed. */
const turnObjects = 500;

export interface ReadContext {
  readonly objects: Objects;
  readonly pages: Pages;
  /** Lets other work of this process go first. */
  turn(): Promise<void>;
}

export interface ReadLimits {
  /** Bytes of one answer; a list goes on with `continue` whether or not a limit was asked for. */
  readonly maxBytes?: number;
}

export async function get(
  context: ReadContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const { namespace, name, query } = request;
  await waitUntilFresh(resource.store, parseResourceVersion(query.get("resourceVersion")));
  const entry = entryOf(resource, namespace, name);
  if (!entry) throw notFound(nameOf(resource), name);
  return bytesReply(200, presentObject(context.objects, resource, entry, request));
}

interface Collected {
  readonly entries: Entry[];
  /** The key after which the next page begins, when there is one. */
  readonly more: string | undefined;
}

export async function list(
  context: ReadContext,
  resource: Resource,
  request: ApiRequest,
  limits: ReadLimits = {},
): Promise<ApiReply> {
  const { query } = request;
  const prefix = prefixOf(resource, request.namespace);
  const limit = numberOption(query, "limit") || Number.POSITIVE_INFINITY;
  const page = await openPage(context, resource, request, prefix);
  const selector = selectorOf(resource, request);
  const matches = selector && ((entry: Entry) => selector(context.objects.parsed(resource, entry)));
  const maxBytes = limits.maxBytes ?? Number.POSITIVE_INFINITY;
  const { entries, more } = await collect(context, page, { limit, maxBytes, matches });

  const passed = page.passed + entries.length;
  const metadata: ListMeta = { resourceVersion: String(page.snapshot.revision) };
  if (more !== undefined) {
    metadata.continue = context.pages.next(prefix, { ...page, after: more, passed });
    // Upstream leaves the count out when a selector makes it a guess.
    if (!matches) metadata.remainingItemCount = page.snapshot.size - passed;
  }
  return {
    code: 200,
    parts: presentList(context.objects, resource, entries, metadata, request),
    warnings: [],
  };
}

export interface ListMeta {
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

async function openPage(
  context: ReadContext,
  resource: Resource,
  request: ApiRequest,
  prefix: string,
): Promise<Page> {
  const { view } = resource.store;
  const token = request.query.get("continue");
  if (token) {
    assertLoaded(resource.store);
    return await context.pages.open(token, prefix, resource.store);
  }
  const revision = parseResourceVersion(request.query.get("resourceVersion"));
  await waitUntilFresh(resource.store, revision);
  if (revision && request.query.get("resourceVersionMatch") === "Exact") {
    const snapshot = await snapshotAt(resource.store, prefix, revision);
    if (!snapshot) throw tooOld(revision, view.floor);
    return { snapshot, after: "", passed: 0, pin: "" };
  }
  return { snapshot: view.snapshot(prefix), after: "", passed: 0, pin: "" };
}

async function collect(
  context: ReadContext,
  page: Page,
  options: { limit: number; maxBytes: number; matches?: (entry: Entry) => boolean },
): Promise<Collected> {
  const { limit, maxBytes, matches } = options;
  const entries: Entry[] = [];
  let bytes = 0;
  let seen = 0;
  for (const entry of page.snapshot.range(page.after || undefined)) {
    if (matches) {
      if (++seen % turnObjects === 0) await context.turn();
      if (!matches(entry)) continue;
    }
    bytes += entry.value.length + revisionBytes;
    const last = entries.at(-1);
    if (last && (entries.length >= limit || bytes > maxBytes)) return { entries, more: last.key };
    entries.push(entry);
  }
  return { entries, more: undefined };
}

/** What splicing adds to an object, with the comma behind it. */
const revisionBytes = 20;
