/** The client in front of an API actor that fails as told: only what may be sent again is. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { statusHeader } from "../../../../actors/apiserver/messages.ts";
import { type Api, type ApiOptions, createApi } from "../../../../actors/kit/client.ts";
import { keyIn } from "../../../../actors/kit/object.ts";
import { ApiError, type ApiStatus, apiError } from "../../../../manifests/api-error.ts";
import { ConfigMap } from "../../../../manifests/index.ts";
import type { BusMessage, Subscription } from "../../../../runtime/bus.ts";
import { createSimBus, type SimBus } from "../../../../runtime/sim/bus.ts";
import { createNetwork, type SimNetwork } from "../../../../runtime/sim/network.ts";
import { createWorld, type SimWorld } from "../../../../runtime/sim/world.ts";

const principal = "system:wherry:controllers";

let world: SimWorld;
let network: SimNetwork;
let server: SimBus;
let client: SimBus;
let serving: Subscription | undefined;
/** When each request arrived, in virtual milliseconds. */
let arrivals: number[];

beforeEach(() => {
  world = createWorld({ seed: 1 });
  network = createNetwork(world);
  server = createSimBus(network, { name: "server" });
  client = createSimBus(network, { name: "client" });
  arrivals = [];
});

afterEach(async () => {
  await settle(Promise.all([server.close(), client.close()]));
});

type Reply = "silence" | ApiStatus | object;

/** Answers one request after the other with these; the last one for ever. */
function serve(...replies: Reply[]): void {
  serving?.unsubscribe();
  serving = server.subscribe("wherry.api.>", (message) => {
    const reply = replies[Math.min(arrivals.length, replies.length - 1)] ?? "silence";
    arrivals.push(world.clock.monotonic());
    if (reply !== "silence") answer(message, reply);
  });
}

function answer(message: BusMessage, reply: object): void {
  const code = "code" in reply ? String(reply.code) : "200";
  message.respond(JSON.stringify(reply), { [statusHeader]: code });
}

const api = (options: Partial<ApiOptions> = {}): Api =>
  createApi(client, world.clock, { principal, timeoutMs: 1_000, patienceMs: 20_000, ...options });

async function settle<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const watched = work.finally(() => {
    done = true;
  });
  watched.catch(() => undefined);
  await world.run({ until: () => done, maxVirtualMs: 120_000 });
  return await watched;
}

/** The error with which it ends, as `<reason>: <message>`. */
async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await settle(work);
  } catch (error) {
    if (error instanceof ApiError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  throw new Error("it did not fail");
}

const status = (...args: Parameters<typeof apiError>): ApiStatus => apiError(...args).status;
const busy = (retryAfterSeconds: number) =>
  status("TooManyRequests", "too many requests", { retryAfterSeconds });
const away = status("ServiceUnavailable", "the store is unavailable");
const key = keyIn("default", "a");
const map = (resourceVersion?: string): ConfigMap => ({
  metadata: { name: "a", namespace: "default", resourceVersion },
});

interface Case {
  work: string;
  send: (api: Api) => Promise<unknown>;
  /** May be sent again though the first may have landed. */
  repeatable: boolean;
}

const cases: Case[] = [
  { work: "a get", send: (it) => it.get(ConfigMap, key), repeatable: true },
  { work: "a list", send: (it) => it.list(ConfigMap), repeatable: true },
  { work: "a create", send: (it) => it.create(ConfigMap, map()), repeatable: false },
  {
    work: "an update of one revision",
    send: (it) => it.update(ConfigMap, map("7")),
    repeatable: true,
  },
  { work: "an update of any", send: (it) => it.update(ConfigMap, map()), repeatable: false },
  {
    work: "a merge patch",
    send: (it) => it.patch(ConfigMap, key, { data: {} }, { type: "merge" }),
    repeatable: true,
  },
  {
    work: "a JSON patch",
    send: (it) => it.patch(ConfigMap, key, [], { type: "json" }),
    repeatable: false,
  },
  {
    work: "a delete by uid",
    send: (it) => it.delete(ConfigMap, key, { uid: "u" }),
    repeatable: true,
  },
  { work: "a delete by name", send: (it) => it.delete(ConfigMap, key), repeatable: false },
];

const done = { metadata: { resourceVersion: "9" }, items: [] };

for (const { work, send, repeatable } of cases) {
  const again = repeatable ? "is sent again" : "is not sent again";

  test(`client: ${work} without an answer ${again}`, async () => {
    serve("silence", done);
    if (repeatable) await settle(send(api()));
    else expect(await failure(send(api()))).toMatch(/^Timeout: no API actor answered: /);
    expect(arrivals).toHaveLength(repeatable ? 2 : 1);
  });

  test(`client: ${work} that found the store away ${again}`, async () => {
    serve(away, done);
    if (repeatable) await settle(send(api()));
    else expect(await failure(send(api()))).toBe(`ServiceUnavailable: ${away.message}`);
    expect(arrivals).toHaveLength(repeatable ? 2 : 1);
  });

  test(`client: ${work} waits for an API actor to come, and for a busy one`, async () => {
    const sent = settle(send(api()));
    world.schedule(300, () => serve(busy(3), done));
    await sent;
    const [first = 0, second = 0] = arrivals;
    expect(arrivals).toHaveLength(2);
    expect(second - first).toBeGreaterThanOrEqual(3_000);
  });
}

test("client: what is refused is refused once, with its Status", async () => {
  serve(status("Conflict", "the object has been modified"));
  expect(await failure(api().update(ConfigMap, map("7")))).toBe(
    "Conflict: the object has been modified",
  );
  expect(arrivals).toHaveLength(1);
});

test("client: patience ends, and the last error is told", async () => {
  serve(away);
  const startedAt = world.clock.monotonic();
  expect(await failure(api({ patienceMs: 5_000 }).get(ConfigMap, key))).toBe(
    `ServiceUnavailable: ${away.message}`,
  );
  expect(world.clock.monotonic() - startedAt).toBeLessThanOrEqual(5_000);
  expect(arrivals.length).toBeGreaterThan(3);
  serving?.unsubscribe();
  expect(await failure(api({ patienceMs: 3_000 }).get(ConfigMap, key))).toMatch(
    /^ServiceUnavailable: no API actor answered: /,
  );
});

test("client: a lost connection ends a create at once, and a get goes on over the next one", async () => {
  serve("silence", done);
  const created = failure(api({ timeoutMs: 10_000 }).create(ConfigMap, map()));
  world.schedule(100, () => network.cut("client"));
  expect(await created).toMatch(/^ServiceUnavailable: no API actor answered: /);
  expect(world.clock.monotonic()).toBeLessThan(1_000);
  await settle(api().get(ConfigMap, key));
});

test("client: an answer that is no Status is a bug of the server, not a success", async () => {
  serving = server.subscribe("wherry.api.>", (message) => {
    message.respond("<html>", { [statusHeader]: "502" });
  });
  expect(await failure(api().get(ConfigMap, key))).toBe(
    "InternalError: API actor answered 502: <html>",
  );
});

test("client: a list whose pages ran out begins again, whole", async () => {
  const item = (name: string) => ({ metadata: { name } });
  serve(
    { metadata: { resourceVersion: "5", continue: "next" }, items: [item("old")] },
    status("Expired", "too old"),
    { metadata: { resourceVersion: "8" }, items: [item("a"), item("b")] },
  );
  const list = await settle(api().list(ConfigMap, { pageSize: 1 }));
  expect(list.metadata.resourceVersion).toBe("8");
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
});

test("client: an aborted call is sent no more", async () => {
  serve(away);
  const abort = new AbortController();
  const sent = settle(api({ signal: abort.signal }).get(ConfigMap, key));
  world.schedule(200, () => abort.abort(new Error("stopped")));
  await expect(sent).rejects.toThrow("stopped");
  const until = arrivals.length;
  await world.run({ maxVirtualMs: 10_000 });
  expect(arrivals).toHaveLength(until);
});
