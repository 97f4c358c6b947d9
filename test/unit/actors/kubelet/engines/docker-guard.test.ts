import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DockerEngine } from "../../../../../actors/kubelet/engines/docker/index.ts";

let dir: string;
let server: Server;
let eventStream: Promise<ServerResponse>;

/** A Docker that begins to answer every question, and then no more is heard of it. */
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "wherry-guard-"));
  eventStream = new Promise((resolve) => {
    server = createServer((request, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.write("[");
      if (request.url?.includes("/events")) resolve(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(dir, "d.sock"), resolve));
});

afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
  await rm(dir, { recursive: true });
});

test("docker driver: a call whose answer breaks off ends with the event stream", async () => {
  const engine = new DockerEngine({
    socketPath: join(dir, "d.sock"),
    cluster: "c",
    node: "n",
    podCIDR: "10.0.0.0/24",
    pauseImage: "pause",
    stateDir: dir,
  });
  const ended = new Promise((resolve) => engine.events(() => {}, resolve));
  const stream = await eventStream;
  const listed = engine.listContainers();
  const stopped = engine.stopContainer("x", 30);
  const both = Promise.allSettled([listed, stopped]);
  stream.destroy();
  await ended;
  for (const result of await both) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
  }
});
