/** A node under misfortune of every kind ends up with what was asked for, and nothing else. */

import { expect, test } from "vitest";
import { keyIn } from "../../../../actors/kit/object.ts";
import { Pod } from "../../../../manifests/index.ts";
import { type Fault, killFault, networkFaults, unleash } from "../../../../runtime/sim/faults.ts";
import { type SimNode, startSimNode } from "./sim-node.ts";

const seeds = process.env.WHERRY_SEED
  ? [Number(process.env.WHERRY_SEED)]
  : Array.from({ length: 8 }, (_, n) => n + 1);

function engineFault({ engine, world }: SimNode): Fault {
  return {
    name: "engine away",
    strike(random) {
      const ms = random.int(15_000);
      engine.setAvailable(false);
      world.schedule(ms, () => engine.setAvailable(true));
      return `${ms} ms`;
    },
  };
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

test.each(seeds)("kubelet: seed %i: what was asked for comes true under faults", async (seed) => {
  const node = await startSimNode({ seed });
  const { world, network, engine, api, kubelet } = node;
  const faults = [...networkFaults(network), killFault(world, [kubelet]), engineFault(node)];
  const misfortune = unleash(world, { faults, meanGapMs: 3_000 });
  const names = Array.from({ length: 8 }, (_, n) => `pod-${n}`);
  for (const name of names) {
    // An answer may be lost, and the pod be there all the same.
    await node.create({ name }).catch(() => undefined);
    await node.passes(world.random.int(4_000));
  }
  for (const name of names.slice(0, 4)) {
    await node.run(api.delete(Pod, keyIn("default", name)).catch(() => undefined));
    await node.passes(world.random.int(4_000));
  }
  misfortune.stop();
  // The last fault may be a partition, and the longest of them lasts 40 s.
  await node.passes(45_000);
  for (const name of names.slice(0, 4)) {
    await node.run(api.delete(Pod, keyIn("default", name)).catch(() => undefined));
  }
  for (const name of names.slice(4)) await node.create({ name }).catch(() => undefined);
  const pods = async () => (await api.list(Pod, { namespace: "default" })).items;
  await node.until(
    "the four that stay",
    async () => {
      const items = await pods();
      return items.length === 4 && items.every(isReady);
    },
    120_000,
  );
  await node.until("nothing left over", async () => (await engine.listSandboxes()).length === 4);
  // Nobody was restarted: no fault was a container's own.
  for (const { status } of await node.run(pods())) {
    expect(status?.containerStatuses?.[0]?.restartCount).toBe(0);
  }
  const uids = (await node.run(pods())).map(({ metadata }) => metadata.uid).sort();
  expect((await engine.listSandboxes()).map(({ uid }) => uid).sort()).toEqual(uids);
  expect((await node.files.listPods()).sort()).toEqual(uids);
  await node.dispose();
});
