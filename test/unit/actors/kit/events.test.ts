import { afterEach, beforeEach, expect, test } from "vitest";
import { createApi } from "../../../../actors/kit/client.ts";
import { createRecorder, type EventRecorder, eventWrites } from "../../../../actors/kit/events.ts";
import { keyOf } from "../../../../actors/kit/object.ts";
import { ConfigMap, Event } from "../../../../manifests/index.ts";
import { controllersPrincipal, type Scene, startScene } from "../../../harness/controller.ts";

const principal = controllersPrincipal;
const minuteMs = 60_000;

let scene: Scene;
let recorder: EventRecorder;

beforeEach(async () => {
  scene = await startScene({ writes: eventWrites });
  let made: EventRecorder | undefined;
  scene.start("recording", (host) => {
    const api = createApi(host.connect({ principal }), host.clock, {
      principal,
      writes: eventWrites,
    });
    made = createRecorder(api, { ...host, component: "test", host: "here" });
  });
  await scene.until("the recorder", () => made !== undefined);
  if (!made) throw new Error("no recorder");
  recorder = made;
});

afterEach(async () => {
  await scene.dispose();
});

const about = (name: string): ConfigMap => ({
  metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion: "7" },
});

async function eventsAbout(name: string): Promise<Event[]> {
  const { items } = await scene.settle(scene.api.list(Event));
  return items.filter(({ involvedObject }) => involvedObject.name === name);
}

test("recorder: an event says what, about what, from where", async () => {
  recorder.warning(ConfigMap, about("a"), "Broke", "it broke", { fieldPath: "data{x}" });
  await scene.passes(100);
  const [event] = await eventsAbout("a");
  expect(event).toMatchObject({
    metadata: { namespace: "default", name: expect.stringMatching(/^a\.[0-9a-f]+$/) },
    type: "Warning",
    reason: "Broke",
    message: "it broke",
    count: 1,
    source: { component: "test", host: "here" },
    involvedObject: { kind: "ConfigMap", name: "a", uid: "uid-a", fieldPath: "data{x}" },
  });
  expect(event?.firstTimestamp).toBe(event?.lastTimestamp);
});

test("recorder: what is said again within ten minutes is counted, and later begins anew", async () => {
  for (let time = 0; time < 3; time++) {
    recorder.normal(ConfigMap, about("a"), "Turned", "again");
    await scene.passes(minuteMs);
  }
  recorder.normal(ConfigMap, about("a"), "Turned", "otherwise");
  await scene.passes(100);
  const counts = async () =>
    (await eventsAbout("a")).map(({ message, count }) => `${message} ${count}`).sort();
  expect(await counts()).toEqual(["again 3", "otherwise 1"]);
  const again = (await eventsAbout("a")).find(({ count }) => count === 3);
  const took = Date.parse(again?.lastTimestamp ?? "") - Date.parse(again?.firstTimestamp ?? "");
  expect(took).toBeGreaterThanOrEqual(2 * minuteMs - 1_000);

  await scene.passes(11 * minuteMs);
  recorder.normal(ConfigMap, about("a"), "Turned", "again");
  await scene.passes(100);
  expect(await counts()).toEqual(["again 1", "again 3", "otherwise 1"]);
});

test("recorder: an event that was deleted meanwhile is made again", async () => {
  recorder.normal(ConfigMap, about("a"), "Turned", "again");
  await scene.passes(100);
  for (const event of await eventsAbout("a")) {
    await scene.settle(scene.api.delete(Event, keyOf(event)));
  }
  recorder.normal(ConfigMap, about("a"), "Turned", "again");
  await scene.passes(100);
  expect(await eventsAbout("a")).toMatchObject([{ message: "again", count: 1 }]);
});

test("recorder: an object may cause 25 events at once, then one in five minutes", async () => {
  const spam = async (): Promise<number> => {
    for (let nth = 0; nth < 40; nth++) {
      recorder.warning(ConfigMap, about("loud"), "Noise", `noise ${nth}`);
    }
    await scene.passes(5_000);
    const events = await eventsAbout("loud");
    return events.reduce((sum, { count = 0 }) => sum + count, 0);
  };
  expect(await spam()).toBe(25);
  // Whoever keeps quiet is not made to pay for it.
  recorder.normal(ConfigMap, about("quiet"), "Once", "and no more");
  await scene.passes(5 * minuteMs);
  expect(await eventsAbout("quiet")).toHaveLength(1);
  expect(await spam()).toBe(26);
});

test("recorder: while the API is away recording returns at once, and goes on afterwards", async () => {
  scene.servers[0]?.kill();
  recorder.warning(ConfigMap, about("a"), "Early", "nobody listens");
  await scene.passes(2_000);
  scene.servers[0]?.start();
  await scene.until("the event", async () => (await eventsAbout("a")).length > 0);
  recorder.warning(ConfigMap, about("a"), "Late", "somebody does");
  await scene.until("the other", async () => (await eventsAbout("a")).length === 2);
});
