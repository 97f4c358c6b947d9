/** What a kubelet says of a Pod and of its Node, when requests arrive a second time, and late. */

import { expect, test } from "vitest";
import { inboxPrefix, parseApiSubject } from "../../../../actors/subjects.ts";
import { Node, Pod } from "../../../../manifests/index.ts";
import type { BusMessage } from "../../../../runtime/bus.ts";
import { createSimBus } from "../../../../runtime/sim/bus.ts";
import { nodeName, startSimNode } from "./sim-node.ts";

function isReady(object: Pod | Node | undefined): boolean {
  const conditions: { type: string; status: string }[] = object?.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

test("kubelet: a status that arrives a second time, later, changes nothing", async () => {
  const node = await startSimNode();
  const listener = createSimBus(node.network, { name: "listener" });
  const patches: Pick<BusMessage, "subject" | "headers" | "data">[] = [];
  listener.subscribe("wherry.api.*.patch.>", ({ subject, headers, data }) => {
    patches.push({ subject, headers, data: data.slice() });
  });
  const isNodeReady = async () => isReady(await node.run(node.api.get(Node, nodeName)));
  node.engine.setAvailable(false);
  await node.until("the node not to be ready", async () => !(await isNodeReady()));
  node.engine.setAvailable(true);
  await node.until("the node to be ready", isNodeReady);
  await node.create({ name: "a" });
  await node.until("the pod to be ready", async () => isReady(await node.pod("a")));
  const asItIs = async () => [await node.pod("a"), await node.run(node.api.get(Node, nodeName))];
  const before = await asItIs();
  const again = patches.splice(0);
  const resources = new Set(again.map(({ subject }) => parseApiSubject(subject)?.resource));
  expect([...resources].sort()).toEqual(["nodes/status", "pods/status"]);
  for (const { subject, headers, data } of again) {
    const reply = `${inboxPrefix(parseApiSubject(subject)?.principal ?? "")}.late`;
    listener.publish(subject, data, { headers, reply });
  }
  await node.passes(500);
  expect(await asItIs()).toEqual(before);
  await node.dispose();
});

test("kubelet: a Pod that somebody else wrote meanwhile gets its status all the same", async () => {
  const node = await startSimNode();
  const pod = await node.create({ name: "a" });
  const conditions = [...(pod.status?.conditions ?? []), { type: "Gate", status: "True" }];
  const patch = { status: { conditions } };
  const options = { type: "strategic", subresource: "status" } as const;
  await node.run(node.api.patch(Pod, "default/a", patch, options));
  await node.until(
    "the pod to run",
    async () => (await node.pod("a"))?.status?.phase === "Running",
  );
  await node.dispose();
});
