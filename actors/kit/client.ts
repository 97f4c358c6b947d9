/**
 * The typed client of the API: what every actor reads and writes the cluster with.
 *
 * It speaks the NATS door (`actors/apiserver/messages.ts`), refuses writes that its actor did not
 * declare, and tries again what may be tried again: reads always; writes that carry a
 * resourceVersion or uid, so that a second landing is refused; nothing else unless no API actor
 * had taken it. After `Timeout` or `ServiceUnavailable` a write may still have landed: reconcile
 * reads before it writes, and a create by name answers AlreadyExists.
 */

import { isConflict, isExpired } from "../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import type { Bus, Headers } from "../../runtime/bus.ts";
import type { Clock } from "../../runtime/clock.ts";
import { epochHeader } from "../apiserver/messages.ts";
import { type ApiVerb, apiSubject } from "../subjects.ts";
import { type Key, splitKey } from "./object.ts";
import { type DoorRequest, requestDoor } from "./request.ts";
import { openWatch, type Watch, type WatchHandlers, type WatchOptions } from "./watch.ts";
import { assertDeclared, type Write } from "./writes.ts";

export interface Api {
  readonly principal: string;
  /** Consistent, unless `resourceVersion: "0"` asks for whatever is at hand. */
  get<T extends KubeObject>(kind: Kind<T>, key: Key, options?: ReadOptions): Promise<T>;
  /** The whole list, fetched page by page; all pages show the cluster at one revision. */
  list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubeObject>(kind: Kind<T>, object: T): Promise<T>;
  /** An action on an object, such as `pods/binding`; the body states its own type. Sent once. */
  createSubresource(kind: Kind, key: Key, subresource: string, body: object): Promise<unknown>;
  /** `metadata.resourceVersion`, when given, must still be current. */
  update<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T extends KubeObject>(kind: Kind<T>, object: T): Promise<T>;
  patch<T extends KubeObject>(
    kind: Kind<T>,
    key: Key,
    patch: object,
    options: PatchOptions,
  ): Promise<T>;
  /** Resolves with the object as it is now, or with the Status of a finished deletion. */
  delete(kind: Kind, key: Key, options?: DeleteOptions): Promise<unknown>;
  deleteCollection(
    kind: Kind,
    options: Selection & Omit<DeleteOptions, "uid" | "resourceVersion">,
  ): Promise<void>;
  /** Goes on across API actors until it is closed or its revision is too old. */
  watch<T extends KubeObject>(
    kind: Kind<T>,
    options: WatchOptions,
    handlers: WatchHandlers<T>,
  ): Watch;
}

export interface ApiOptions {
  /** Who asks: the NATS permissions of the connection must allow it. */
  principal: string;
  /** What may be written; undefined: everything that the API actors allow (a user's client). */
  writes?: readonly Write[];
  /** The owner's epoch, as `name@resourceVersion`, sent with every write. */
  epoch?: () => string | undefined;
  /** Told when a write was refused because the epoch is no longer current. */
  onDeposed?: () => void;
  signal?: AbortSignal;
  /** For one attempt, and for all attempts of one call together. */
  timeoutMs?: number;
  patienceMs?: number;
}

export interface ReadOptions {
  resourceVersion?: string;
}

export interface Selection {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ListOptions extends Selection, ReadOptions {
  /** Objects in one page; the default is 500. */
  pageSize?: number;
}

export interface ObjectList<T> {
  metadata: { resourceVersion: string };
  items: T[];
}

export interface WriteOptions {
  subresource?: string;
}

export interface PatchOptions extends WriteOptions {
  type: keyof typeof patchTypes;
}

export interface DeleteOptions {
  uid?: string;
  resourceVersion?: string;
  gracePeriodSeconds?: number;
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
}

const patchTypes = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

/** Kept in streams of their own, where no commit can be tied to a record of the objects' stream. */
const unguarded: ReadonlySet<string> = new Set(["events", "leases"]);

interface Call {
  namespace?: string;
  name?: string;
  subresource?: string;
}

export function createApi(bus: Bus, clock: Clock, options: ApiOptions): Api {
  const { principal } = options;

  function send<T>(
    verb: ApiVerb,
    kind: Kind,
    call: Call,
    request: Omit<DoorRequest, "subject">,
  ): Promise<T> {
    const { group } = kind;
    const resource = call.subresource ? `${kind.resource}/${call.subresource}` : kind.resource;
    const { namespace = "", name = "" } = call;
    const subject = apiSubject({ principal, verb, group, resource, namespace, name });
    return requestDoor<T>(bus, clock, { ...request, subject }, options);
  }

  async function write<T>(
    verb: ApiVerb,
    kind: Kind,
    call: Call,
    request: Omit<DoorRequest, "subject">,
  ): Promise<T> {
    const resource = call.subresource ? `${kind.resource}/${call.subresource}` : kind.resource;
    const wanted = { verb, group: kind.group, resource };
    if (options.writes) assertDeclared(options.writes, wanted, principal);
    const epoch = unguarded.has(kind.resource) ? undefined : options.epoch?.();
    const headers: Headers = epoch ? { [epochHeader]: epoch } : {};
    try {
      return await send<T>(verb, kind, call, { ...request, headers });
    } catch (error) {
      if (epoch && isDeposed(error)) options.onDeposed?.();
      throw error;
    }
  }

  function update<T extends KubeObject>(
    kind: Kind<T>,
    object: T,
    { subresource }: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name, resourceVersion } = object.metadata;
    const body = withType(kind, object);
    const call = { namespace, name, subresource };
    return write("update", kind, call, { body, repeatable: Boolean(resourceVersion) });
  }

  return {
    principal,
    get: (kind, key, { resourceVersion } = {}) =>
      send("get", kind, splitKey(key), { query: { resourceVersion }, repeatable: true }),
    list: (kind, listOptions = {}) =>
      listAll(listOptions, (query) =>
        send("list", kind, { namespace: listOptions.namespace }, { query, repeatable: true }),
      ),
    create: (kind, object) => {
      const { namespace, name } = object.metadata;
      return write(
        "create",
        kind,
        { namespace, name },
        { body: withType(kind, object), repeatable: false },
      );
    },
    createSubresource: (kind, key, subresource, body) =>
      write("create", kind, { ...splitKey(key), subresource }, { body, repeatable: false }),
    update,
    updateStatus: (kind, object) => update(kind, object, { subresource: "status" }),
    patch: (kind, key, patch, { type, subresource }) =>
      write(
        "patch",
        kind,
        { ...splitKey(key), subresource },
        // Landing a merge twice changes nothing the second time; a JSON patch may add twice.
        { body: patch, contentType: patchTypes[type], repeatable: type !== "json" },
      ),
    delete: (kind, key, deleteOptions = {}) => {
      const { uid, resourceVersion } = deleteOptions;
      const body = deleteBody(deleteOptions);
      return write("delete", kind, splitKey(key), {
        body,
        repeatable: uid !== undefined || resourceVersion !== undefined,
      });
    },
    deleteCollection: async (kind, selection) => {
      const { namespace, labelSelector, fieldSelector, ...rest } = selection;
      const query = { labelSelector, fieldSelector };
      const body = deleteBody(rest);
      await write("deletecollection", kind, { namespace }, { query, body, repeatable: false });
    },
    watch: (kind, watchOptions, handlers) =>
      openWatch(bus, clock, { kind, principal, signal: options.signal }, watchOptions, handlers),
  };
}

/** The answer to a write whose epoch is no longer current (`epochHeader`): its sender was deposed. */
export function isDeposed(error: unknown): boolean {
  return isConflict(error) && error.message.includes("deposed");
}

interface Page<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[] | null;
}

async function listAll<T>(
  options: ListOptions,
  fetchPage: (query: NonNullable<DoorRequest["query"]>) => Promise<Page<T>>,
): Promise<ObjectList<T>> {
  const { labelSelector, fieldSelector, resourceVersion, pageSize = 500 } = options;
  const selection = { labelSelector, fieldSelector };
  const items: T[] = [];
  let page = await fetchPage({ ...selection, resourceVersion, limit: pageSize });
  for (;;) {
    items.push(...(page.items ?? []));
    const next = page.metadata.continue;
    if (!next) return { metadata: { resourceVersion: page.metadata.resourceVersion }, items };
    try {
      page = await fetchPage({ ...selection, limit: pageSize, continue: next });
    } catch (error) {
      if (!isExpired(error)) throw error;
      // The pages took longer than their revision is kept: one request cannot come too late.
      page = await fetchPage(selection);
      items.length = 0;
    }
  }
}

function deleteBody(options: DeleteOptions): object {
  const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options;
  const conditional = uid !== undefined || resourceVersion !== undefined;
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...(conditional ? { preconditions: { uid, resourceVersion } } : {}),
    gracePeriodSeconds,
    propagationPolicy,
  };
}

/** Callers may leave the type out, since they pass the kind. */
function withType<T extends KubeObject>(kind: Kind, object: T): T {
  return { ...object, apiVersion: kind.apiVersion, kind: kind.kind };
}
