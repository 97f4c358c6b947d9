import { expect, test } from "vitest";
import { unschedulablePatch } from "../../../../actors/scheduler/condition.ts";
import { shardOf } from "../../../../actors/scheduler/shard.ts";
import type { PodCondition } from "../../../../manifests/schema/types.generated.ts";
import { createSeededRandom } from "../../../../runtime/sim/random.ts";

const now = Date.parse("2026-03-01T12:00:00Z");
const message = "0/1 nodes are available: 1 Insufficient cpu.";

function podWith(...conditions: PodCondition[]) {
  const metadata = { namespace: "default", name: "web", uid: "u1" };
  return { metadata, spec: { containers: [] }, status: { conditions } };
}

test("condition: says why, since when, and of which pod", () => {
  expect(unschedulablePatch(podWith(), message, now)).toEqual({
    metadata: { uid: "u1" },
    status: {
      conditions: [
        {
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message,
          lastProbeTime: null,
          lastTransitionTime: "2026-03-01T12:00:00Z",
        },
      ],
    },
  });
});

test("condition: nothing is written while it says the same, and a new message keeps the time", () => {
  const since = "2026-03-01T11:00:00Z";
  const before = {
    type: "PodScheduled",
    status: "False",
    reason: "Unschedulable",
    message,
    lastTransitionTime: since,
  } as const;
  expect(unschedulablePatch(podWith(before), message, now)).toBeUndefined();
  expect(unschedulablePatch(podWith(before), "no nodes available", now)).toMatchObject({
    status: { conditions: [{ message: "no nodes available", lastTransitionTime: since }] },
  });
});

test("shards: random uids fall on all shards alike, and each always on the same", () => {
  const random = createSeededRandom("uids");
  const counts = [0, 0, 0, 0];
  for (let drawn = 0; drawn < 4_000; drawn++) {
    const uid = random.uuid();
    const shard = shardOf(uid, 4);
    expect(shardOf(uid, 4)).toBe(shard);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
