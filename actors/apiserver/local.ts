/** The API actor's own reads and writes: through its own pipeline, as a master. */

import { isAlreadyExists, isConflict, isNotFound } from "../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import type { ApiVerb } from "../subjects.ts";
import { authenticatedGroup, mastersGroup } from "./authn/user.ts";
import type { Pipeline } from "./pipeline.ts";
import { type ApiReply, type ApiRequest, replyBytes, type User } from "./request.ts";

export interface LocalApi {
  /** From the cache; undefined when it is not there. */
  find<T extends KubeObject>(
    kind: Kind<T>,
    namespace: string,
    name: string,
  ): Promise<T | undefined>;
  list<T extends KubeObject>(kind: Kind<T>, namespace: string): Promise<T[]>;
  /** Makes it unless an object of that name exists. */
  ensure<T extends KubeObject>(kind: Kind<T>, object: T): Promise<void>;
  create<T extends KubeObject>(kind: Kind<T>, object: T): Promise<T>;
  update<T extends KubeObject>(kind: Kind<T>, object: T): Promise<T>;
  delete(kind: Kind, namespace: string, name: string, uid?: string): Promise<void>;
}

const encoder = new TextEncoder();
const fromCache = new URLSearchParams({ resourceVersion: "0" });
const newest = new URLSearchParams();

export function createLocalApi(pipeline: Pipeline, principal: string): LocalApi {
  const user: User = { name: principal, groups: [mastersGroup, authenticatedGroup] };

  async function ask<T>(
    verb: ApiVerb,
    kind: Kind,
    place: { namespace?: string; name?: string },
    body?: unknown,
    query = newest,
  ): Promise<T> {
    const reply: ApiReply = await pipeline.handle({
      ...requestFor(kind, user),
      verb,
      namespace: place.namespace ?? "",
      name: place.name ?? "",
      query,
      body: body === undefined ? new Uint8Array() : encoder.encode(JSON.stringify(body)),
    });
    return JSON.parse(new TextDecoder().decode(replyBytes(reply))) as T;
  }

  const local: LocalApi = {
    async find<T extends KubeObject>(kind: Kind<T>, namespace: string, name: string) {
      try {
        return await ask<T>("get", kind, { namespace, name }, undefined, fromCache);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(kind: Kind<T>, namespace: string) {
      const list = await ask<{ items: T[] }>("list", kind, { namespace }, undefined, fromCache);
      return list.items;
    },
    async ensure(kind, object) {
      const { namespace = "", name = "" } = object.metadata;
      if (await local.find(kind, namespace, name)) return;
      try {
        await local.create(kind, object);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    },
    create: (kind, object) => ask("create", kind, placeOf(object), object),
    update: (kind, object) => ask("update", kind, placeOf(object), object),
    async delete(kind, namespace, name, uid) {
      try {
        const preconditions = uid ? { preconditions: { uid } } : {};
        await ask("delete", kind, { namespace, name }, preconditions);
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };
  return local;
}

/** A request of ours about a kind, but for its verb, place and body. */
export function requestFor(kind: Kind, user: User): ApiRequest {
  return {
    user,
    verb: "get",
    group: kind.group,
    version: kind.version,
    resource: kind.resource,
    subresource: "",
    namespace: "",
    name: "",
    query: newest,
    body: new Uint8Array(),
    contentType: "application/json",
    form: "object",
  };
}

function placeOf({ metadata }: KubeObject): { namespace?: string; name?: string } {
  return { namespace: metadata.namespace, name: metadata.name };
}
