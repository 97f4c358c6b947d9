/** The audit stream while its server is away: requests go on, events wait, and what is lost is said. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { type AuditStream, openAuditStream } from "../../actors/apiserver/audit/stream.ts";
import { createLog } from "../../runtime/log.ts";
import { connectNats, type NatsBus } from "../../runtime/nats-bus.ts";
import { realClock } from "../../runtime/real.ts";
import { askApi } from "../../runtime/store/jetstream-api.ts";
import { type NatsServer, startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";

const log = createLog({ level: "silent" });
let server: NatsServer;
let bus: NatsBus;
let stream: AuditStream;

beforeEach(async () => {
  server = await startNatsServer({ jetstream: { sync: "lazy" } });
  bus = await connectNats({ servers: server.url, name: "api", inboxPrefix: "_INBOX.api", log });
  stream = openAuditStream(
    { bus, clock: realClock, log },
    { maxAgeMs: 3_600_000, maxBytes: 50_000_000 },
  );
});

afterEach(async () => {
  await stream.close();
  await bus.close();
  await server.dispose();
});

function emit(count: number, text = ""): void {
  const object = {
    group: "",
    version: "v1",
    resource: "pods",
    subresource: "",
    namespace: "d",
    name: "",
  };
  for (let nth = 0; nth < count; nth++) {
    stream.emit({ subject: { verb: "get", object }, event: { nth, text } });
  }
}

async function kept(): Promise<number> {
  const info = await askApi<{ state: { messages: number } }>(bus, "STREAM.INFO.wherry-audit");
  return info.state.messages;
}

const until = (count: number) =>
  waitFor(`${count} events`, async () => (await kept().catch(() => 0)) >= count, {
    timeoutMs: 20_000,
  });

test("audit stream: while the server is away events wait, and none is lost", async () => {
  emit(10);
  await until(10);
  await server.kill();
  emit(100);
  await server.start();
  await until(110);
});

test("audit stream: one that is too large keeps none behind it", async () => {
  emit(1, "x".repeat(9 * 1024 * 1024));
  emit(5);
  await until(5);
  expect(await kept()).toBe(5);
});

test("audit stream: beyond what it keeps events are dropped, the oldest stay", async () => {
  await server.kill();
  emit(10_500);
  await server.start();
  await until(10_000);
  emit(1);
  await until(10_001);
  expect(await kept()).toBe(10_001);
});
