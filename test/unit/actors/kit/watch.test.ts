/** Watches over the network as it is: requests that arrive twice, replicas that die. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { adminPrincipal } from "../../../../actors/apiserver/authn/user.ts";
import {
  sequenceHeader,
  sessionHeader,
  watchHeartbeatMs,
} from "../../../../actors/apiserver/messages.ts";
import type { Watch } from "../../../../actors/kit/watch.ts";
import { inboxPrefix } from "../../../../actors/subjects.ts";
import { ConfigMap, type KubeObject } from "../../../../manifests/index.ts";
import { createSimBus } from "../../../../runtime/sim/bus.ts";
import { type Scene, startScene } from "../../../harness/controller.ts";

let scene: Scene;
/** The sessions that spoke to the watcher, and how often each did. */
let spoke: Map<string, number>;
let told: string[];
let watch: Watch;

beforeEach(async () => {
  scene = await startScene({ apis: 2 });
  spoke = new Map();
  told = [];
  const listener = createSimBus(scene.network, { name: "listener" });
  listener.subscribe(`${inboxPrefix(adminPrincipal)}.>`, ({ headers }) => {
    const session = headers[sessionHeader];
    if (session !== undefined) spoke.set(session, Number(headers[sequenceHeader]));
  });
});

afterEach(async () => {
  await scene.dispose();
});

async function create(name: string): Promise<unknown> {
  return await scene.api.create(ConfigMap, { metadata: { namespace: "default", name } });
}

async function write(names: readonly string[]): Promise<void> {
  for (const name of names) await scene.settle(create(name));
}

/** While sessions are opened, each request is delivered twice: to one replica each, or to one. */
async function twice(opening: () => void, sessions: number): Promise<void> {
  scene.network.faults.duplicateRequest = 1;
  opening();
  await scene.until("every session", () => spoke.size === sessions);
  scene.network.faults.duplicateRequest = 0;
}

/** A watch from now on; `meanwhile` happens before it is opened. */
async function watchTwice(meanwhile?: () => void): Promise<void> {
  const { metadata } = await scene.settle(scene.api.list(ConfigMap));
  meanwhile?.();
  const handlers = {
    onEvent: (type: string, { metadata: { name } }: KubeObject) => told.push(`${type} ${name}`),
    onEnd: (error: Error) => told.push(String(error)),
  };
  await twice(() => {
    watch = scene.api.watch(ConfigMap, metadata, handlers);
  }, 2);
}

/** Sessions that say anything in the time of three heartbeats. */
async function speaking(): Promise<string[]> {
  const before = new Map(spoke);
  await scene.passes(3 * watchHeartbeatMs);
  return [...spoke.keys()].filter((session) => spoke.get(session) !== before.get(session));
}

function names(prefix: string): string[] {
  return Array.from({ length: 20 }, (_, nth) => `${prefix}-${nth}`);
}

const added = (name: string): string => `ADDED ${name}`;

test("watch: a request that was delivered twice tells each event once", async () => {
  // Written while it is opened: what one session's first message has, the other's second may.
  for (let round = 0; round < 10; round++) {
    told = [];
    spoke.clear();
    const all = names(`round-${round}`);
    await watchTwice(() => {
      // Each of them arrives twice too; that it was created already may be the first answer.
      for (const name of all.slice(0, 10)) create(name).catch(() => undefined);
    });
    await write(all.slice(10));
    await scene.until("the last event", () => told.length >= all.length);
    expect(told.toSorted()).toEqual(all.map(added).toSorted());
    watch.close();
    // What its sessions still say must not count in the next round.
    await scene.passes(100);
  }
});

test("watch: of two sessions in one inbox one is closed", async () => {
  await watchTwice();
  expect(await speaking()).toHaveLength(1);
});

test("watch: another replica takes over, with a request delivered twice again", async () => {
  await watchTwice();
  await write(names("before"));
  const [session = ""] = await speaking();
  const server = scene.servers.find(({ name }) => session.includes(`.${name}-`));
  await twice(() => server?.kill(), 4);
  await write(names("after"));
  await scene.until("the last event", () => told.length >= 40);
  expect(told.slice(20)).toEqual(names("after").map(added));
  expect(await speaking()).toHaveLength(1);
});
