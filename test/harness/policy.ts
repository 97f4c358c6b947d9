/** Authorizers over a simulated store that a test fills by hand. */

import { authenticatedGroup } from "../../actors/apiserver/authn/user.ts";
import type { Grants } from "../../actors/apiserver/authz/actors.ts";
import { type Authorizer, createAuthorizer } from "../../actors/apiserver/authz/authorizer.ts";
import type { User } from "../../actors/apiserver/request.ts";
import { encodeStored, type Kind, type KubeObject } from "../../manifests/index.ts";
import { createSimStream, type SimStream } from "../../runtime/sim/journal.ts";
import { createWorld } from "../../runtime/sim/world.ts";
import { objectKey } from "../../runtime/store/key.ts";
import { createStore } from "../../runtime/store/objects.ts";
import type { Store } from "../../runtime/store/store.ts";

export interface PolicyScene {
  readonly authorizer: Authorizer;
  readonly store: Store;
  readonly stream: SimStream;
  /** One more view of the same stream, with an authorizer of its own. */
  another(): Promise<PolicyScene>;
  put<T extends KubeObject>(kind: Kind<T>, object: T): Promise<void>;
  /** Committed, and perhaps not seen by any view yet; resolves with its sequence. */
  write<T extends KubeObject>(kind: Kind<T>, object: T): Promise<number>;
  remove(kind: Kind, namespace: string, name: string): Promise<void>;
  settle<T>(work: Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

export async function startPolicy(grants: Grants = new Map()): Promise<PolicyScene> {
  const world = createWorld({ seed: 5 });
  const { clock, random, log } = world;
  const stream = createSimStream({ clock, random });
  const closing: Store[] = [];

  async function settle<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const noted = work.finally(() => {
      done = true;
    });
    noted.catch(() => {});
    if (!(await world.run({ until: () => done, maxVirtualMs: 60_000 }))) {
      throw new Error("it did not settle within a minute");
    }
    return await noted;
  }

  async function open(): Promise<PolicyScene> {
    const store = createStore({ clock, random, log, journal: stream.connect() });
    closing.push(store);
    await world.run({ until: () => store.ready, maxVirtualMs: 60_000 });

    async function commit(kind: Kind, object: KubeObject, gone = false): Promise<number> {
      const { group, resource } = kind;
      const { namespace = "", name = "" } = object.metadata;
      const key = objectKey({ group, resource, namespace, name });
      const expected = store.view.get(key)?.sequence ?? 0;
      const value = new TextEncoder().encode(encodeStored(object));
      const [done] = await settle(store.commit([{ key, value, expected, delete: gone }]));
      return done?.sequence ?? 0;
    }

    async function reach(committed: Promise<number>): Promise<void> {
      await settle(store.reached(await committed, 1_000));
    }

    return {
      authorizer: createAuthorizer(grants, store),
      store,
      stream,
      another: open,
      put: (kind, object) => reach(commit(kind, object)),
      write: commit,
      remove: (kind, namespace, name) =>
        reach(commit(kind, { metadata: { namespace, name } }, true)),
      settle,
      async dispose() {
        for (const one of closing) await settle(one.close());
      },
    };
  }

  return await open();
}

/** As whoever proved a name is known. */
export function userIn(name: string, groups: readonly string[]): User {
  return { name, groups: [...groups, authenticatedGroup] };
}
