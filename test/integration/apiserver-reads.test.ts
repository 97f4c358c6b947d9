/** Lists, pages and watches through the NATS door, with two API actors on a real nats-server. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { adminPrincipal } from "../../actors/apiserver/authn/user.ts";
import { queryHeader, sequenceHeader, statusHeader } from "../../actors/apiserver/messages.ts";
import type { Api } from "../../actors/kit/client.ts";
import { type ApiVerb, apiSubject, inboxPrefix } from "../../actors/subjects.ts";
import { ConfigMap, type KubeObject, Pod } from "../../manifests/index.ts";
import type { BusMessage, Subscription } from "../../runtime/bus.ts";
import type { NatsBus } from "../../runtime/nats-bus.ts";
import { startApi, type TestApi } from "../harness/api.ts";
import { readJson } from "../harness/messages.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestApi;
let api: Api;
let bus: NatsBus;
const open: Subscription[] = [];

beforeAll(async () => {
  env = await startApi();
  await env.start();
  api = await env.client();
  bus = await env.connect(adminPrincipal);
});

afterEach(() => {
  for (const subscription of open.splice(0)) subscription.unsubscribe();
});

afterAll(async () => {
  await env.dispose();
});

interface Answer {
  code: number;
  body: ReturnType<typeof JSON.parse>;
}

async function ask(verb: ApiVerb, query: object = {}, body?: object): Promise<Answer> {
  const target = { principal: adminPrincipal, verb, group: "", resource: "configmaps" };
  const subject = apiSubject({ ...target, namespace: "default", name: "" });
  const text = new URLSearchParams(query as Record<string, string>).toString();
  const answer = await bus.request(subject, body && JSON.stringify(body), {
    headers: { [queryHeader]: text },
  });
  const code = Number(answer.headers[statusHeader]);
  return { code, body: readJson(answer) };
}

async function make(names: readonly string[], labels: Record<string, string> = {}): Promise<void> {
  for (const name of names) {
    await api.create(ConfigMap, { metadata: { namespace: "default", name, labels } });
  }
}

function namesOf({ body }: Answer): string[] {
  return body.items.map(({ metadata }: KubeObject) => metadata.name);
}

describe("apiserver: lists", () => {
  test("apiserver: pages show one moment, whoever serves them", async () => {
    const selection = { labelSelector: "set=paged", limit: "2" };
    await make(["page-a", "page-b", "page-c", "page-d", "page-e"], { set: "paged" });
    const first = await ask("list", selection);
    expect(namesOf(first)).toEqual(["page-a", "page-b"]);
    // The page's moment has passed: one that is gone is still shown, one that came is not.
    await api.delete(ConfigMap, "default/page-d");
    await make(["page-c2"], { set: "paged" });
    const again = await api.patch(
      ConfigMap,
      "default/page-e",
      { data: { new: "x" } },
      { type: "merge" },
    );
    // Ten times, so that both API actors are asked.
    for (let times = 0; times < 10; times++) {
      const token = first.body.metadata.continue;
      const second = await ask("list", { ...selection, continue: token });
      expect(namesOf(second)).toEqual(["page-c", "page-d"]);
      const third = await ask("list", { ...selection, continue: second.body.metadata.continue });
      expect(namesOf(third)).toEqual(["page-e"]);
      expect(third.body.items[0].data).toBeUndefined();
      expect(third.body.items[0].metadata.resourceVersion).not.toBe(again.metadata.resourceVersion);
      expect(third.body.metadata.continue).toBeUndefined();
      expect(third.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
    }
  });

  test("apiserver: says how many are still to come when it knows", async () => {
    await make(["count-a", "count-b", "count-c"]);
    const all = await ask("list");
    const page = await ask("list", { limit: "1" });
    expect(page.body.metadata.remainingItemCount).toBe(all.body.items.length - 1);
  });

  test("apiserver: a continue token of nobody is refused, one of another resource shows nothing", async () => {
    expect(await ask("list", { continue: "rubbish" })).toMatchObject({
      code: 400,
      body: { message: "continue key is not valid" },
    });
  });

  test("apiserver: a list from the future waits, then says so", async () => {
    const answer = await ask("list", { resourceVersion: "99999999" });
    expect(answer).toMatchObject({ code: 504, body: { reason: "Timeout" } });
    expect(answer.body.message).toMatch(/^Too large resource version: 99999999, current: \d+$/);
    expect(answer.body.details.causes[0].reason).toBe("ResourceVersionTooLarge");
  });

  test("apiserver: a selector that cannot be read is a bad request", async () => {
    expect((await ask("list", { labelSelector: "a in (" })).code).toBe(400);
    expect(await ask("list", { fieldSelector: "spec.nonsense=1" })).toMatchObject({
      code: 400,
      body: { message: expect.stringContaining('"spec.nonsense" is not a known field selector') },
    });
  });
});

describe("apiserver: watches", () => {
  interface Seen {
    numbers: number[];
    frames: { type: string; object: KubeObject & { message?: string } }[];
    acknowledge(): void;
    close(): void;
  }

  async function watch(query: object): Promise<Seen> {
    const inbox = bus.inbox();
    const seen = { numbers: [], frames: [] } as unknown as Seen;
    open.push(
      bus.subscribe(inbox, (message: BusMessage) => {
        seen.numbers.push(Number(message.headers[sequenceHeader]));
        const lines = new TextDecoder().decode(message.data).trimEnd().split("\n");
        seen.frames.push(...lines.map((line) => JSON.parse(line)));
      }),
    );
    await bus.flush();
    const { code, body } = await ask("watch", query, { inbox });
    expect(code).toBe(200);
    const tell = (message: object) => bus.publish(body.session, JSON.stringify(message));
    seen.acknowledge = () => tell({ type: "acknowledge", sequence: seen.numbers.at(-1) ?? 0 });
    seen.close = () => tell({ type: "close" });
    return seen;
  }

  test("apiserver: a selector makes what enters and leaves it appear and go", async () => {
    const { body } = await ask("list");
    const { resourceVersion } = body.metadata;
    const seen = await watch({ resourceVersion, labelSelector: "seen=yes" });
    await make(["seen-1"], { seen: "no" });
    const mark = (value: string) => ({ metadata: { labels: { seen: value } } });
    await api.patch(ConfigMap, "default/seen-1", mark("yes"), { type: "merge" });
    await api.patch(ConfigMap, "default/seen-1", { data: { a: "b" } }, { type: "merge" });
    await api.patch(ConfigMap, "default/seen-1", mark("no"), { type: "merge" });
    await waitFor("three events", () => seen.frames.length >= 3);
    expect(seen.frames.map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "DELETED"]);
    expect(seen.numbers).toEqual(seen.numbers.map((_, at) => at + 1));
    seen.close();
  });

  test("apiserver: a watch without a revision begins with what is there", async () => {
    await make(["there-1", "there-2"], { there: "yes" });
    const seen = await watch({ labelSelector: "there=yes" });
    await waitFor("both", () => seen.frames.length >= 2);
    expect(seen.frames.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ["ADDED", "there-1"],
      ["ADDED", "there-2"],
    ]);
    seen.close();
  });

  test("apiserver: bookmarks come when nothing else does, and mark the initial events' end", async () => {
    const seen = await watch({
      sendInitialEvents: "true",
      allowWatchBookmarks: "true",
      resourceVersionMatch: "NotOlderThan",
      labelSelector: "none=here",
    });
    const first = await waitFor("the end of the initial events", () => seen.frames[0]);
    expect(first).toMatchObject({
      type: "BOOKMARK",
      object: { metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    });
    await make(["unseen"]);
    const { body } = await ask("list");
    const reached = Number(body.metadata.resourceVersion);
    await waitFor("a heartbeat", () =>
      seen.frames.some(
        ({ type, object }) =>
          type === "BOOKMARK" && Number(object.metadata.resourceVersion) >= reached,
      ),
    );
    seen.close();
  });

  test("apiserver: a watcher that does not keep up is ended, and owes nothing to the others", async () => {
    const seen = await watch({ resourceVersion: "0", labelSelector: "heavy=yes" });
    const data = { filler: "x".repeat(1_000_000) };
    const name = "heavy";
    await api.create(ConfigMap, {
      metadata: { namespace: "default", name, labels: { heavy: "yes" } },
      data,
    });
    for (let times = 0; times < 12; times++) {
      await api.patch(
        ConfigMap,
        "default/heavy",
        { data: { times: String(times) } },
        { type: "merge" },
      );
    }
    const last = await waitFor("the end", () => seen.frames.find(({ type }) => type === "ERROR"));
    expect(last.object).toMatchObject({ code: 410, reason: "Expired" });
    await api.delete(ConfigMap, "default/heavy");
    expect(seen.frames.at(-1)?.type).toBe("ERROR");
  });

  test("apiserver: events go to the asker's own inbox and nowhere else", async () => {
    const stolen = await ask("watch", {}, { inbox: `${inboxPrefix("somebody-else")}.x` });
    expect(stolen).toMatchObject({ code: 403, body: { reason: "Forbidden" } });
    const wild = await ask("watch", {}, { inbox: `${inboxPrefix(adminPrincipal)}.>` });
    expect(wild.code).toBe(403);
  });
});

test("apiserver: a request with a foreign reply address gets no answer at all", async () => {
  const other = await env.connect("system:wherry:other");
  const heard: BusMessage[] = [];
  open.push(
    other.subscribe(`${inboxPrefix("system:wherry:other")}.>`, (message) => heard.push(message)),
  );
  await other.flush();
  const target = {
    principal: adminPrincipal,
    verb: "list" as const,
    group: "",
    resource: "secrets",
  };
  const subject = apiSubject({ ...target, namespace: "", name: "" });
  bus.publish(subject, "", { reply: `${inboxPrefix("system:wherry:other")}.steal` });
  // Whatever was sent before this answer has been dealt with.
  await ask("list");
  await bus.flush();
  await other.flush();
  expect(heard).toEqual([]);
});

test("apiserver: pods are listed by the node that they are on", async () => {
  const spec = { containers: [{ name: "a", image: "b" }], nodeName: "here" };
  await api.create(Pod, { metadata: { namespace: "default", name: "on-here" }, spec } as Pod);
  const { items } = await api.list(Pod, { fieldSelector: "spec.nodeName=here" });
  expect(items.map(({ metadata }) => metadata.name)).toEqual(["on-here"]);
  expect((await api.list(Pod, { fieldSelector: "spec.nodeName=there" })).items).toEqual([]);
});
