/** GET and LIST: bytes from the store's view, copied with their resourceVersion spliced in. */

import { notFound } from "../../manifests/api-error.ts";
import type { Entry, Snapshot } from "../../runtime/store/store.ts";
import type { Page, Pages } from "./continue.ts";
import type { FieldIndexes } from "./field-index.ts";
import { assertLoaded, listTooOld, parseResourceVersion, waitUntilFresh } from "./freshness.ts";
import { type ListOptions, listOptions } from "./list-options.ts";
import type { PaceContext } from "./pace.ts";
import { snapshotAt } from "./past.ts";
import { presentList, presentReply } from "./present.ts";
import { entryOf, nameOf, prefixOf, type Resource } from "./registry/registry.ts";
import type { ApiReply, ApiRequest } from "./request.ts";
import { type Selection, selected, selectionOf } from "./selection.ts";

export interface ReadContext extends PaceContext {
  readonly indexes: FieldIndexes;
  readonly pages: Pages;
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
  await context.objects.prepare(resource, [entry.value]);
  return presentReply(200, context.objects, resource, entry, request);
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
  const options = listOptions(request.query);
  const prefix = prefixOf(resource, request.namespace);
  const selection = selectionOf(resource, request);
  const page = await openPage(context, resource, request, options, prefix, selection);
  await prepareAll(context, resource, page.snapshot);
  const maxBytes = limits.maxBytes ?? Number.POSITIVE_INFINITY;
  const meant = selected(context, resource, selection, page.snapshot, page.after || undefined);
  const { entries, more } = await collect(meant, options.limit, maxBytes);

  const passed = page.passed + entries.length;
  const metadata: ListMeta = { resourceVersion: String(page.snapshot.revision) };
  if (more !== undefined) {
    metadata.continue = context.pages.next(prefix, { ...page, after: more, passed });
    // Upstream leaves the count out when a selector makes it a guess.
    if (!selection) metadata.remainingItemCount = page.snapshot.size - passed;
  }
  return {
    code: 200,
    parts: presentList(context.objects, resource, entries, metadata, request),
    warnings: [],
    encoding: request.encoding,
  };
}

/** For those few kinds that cannot be read without asking elsewhere: all of them at once. */
export async function prepareAll(
  { objects }: Pick<ReadContext, "objects">,
  resource: Resource,
  snapshot: Snapshot,
): Promise<void> {
  if (!resource.custom?.form.convert) return;
  await objects.prepare(
    resource,
    [...snapshot.range()].map(({ value }) => value),
  );
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
  { token, revision, isExact }: ListOptions,
  prefix: string,
  selection: Selection | undefined,
): Promise<Page> {
  if (token) {
    assertLoaded(resource.store);
    return await context.pages.open(token, prefix, resource.store);
  }
  await waitUntilFresh(resource.store, revision);
  if (revision && isExact) {
    const snapshot = await snapshotAt(resource.store, prefix, revision);
    if (!snapshot) throw listTooOld();
    return { snapshot, after: "", passed: 0, pin: "" };
  }
  const snapshot = await context.indexes.snapshot(resource, request, prefix, selection);
  return { snapshot, after: "", passed: 0, pin: "" };
}

async function collect(
  meant: AsyncIterable<Entry>,
  limit: number,
  maxBytes: number,
): Promise<Collected> {
  const entries: Entry[] = [];
  let bytes = 0;
  for await (const entry of meant) {
    bytes += entry.value.length + revisionBytes;
    const last = entries.at(-1);
    if (last && (entries.length >= limit || bytes > maxBytes)) return { entries, more: last.key };
    entries.push(entry);
  }
  return { entries, more: undefined };
}

/** What splicing adds to an object, with the comma behind it. */
const revisionBytes = 20;
