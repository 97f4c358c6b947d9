import { beforeEach, describe, expect, test } from "vitest";
import { Tokens } from "../../../../actors/kubelet/tokens.ts";
import { planVolume, tokenKey } from "../../../../actors/kubelet/volumes/plan.ts";
import type { Pod } from "../../../../manifests/index.ts";
import { createWorld, type SimWorld } from "../../../../runtime/sim/world.ts";

const projected = {
  sources: [
    { serviceAccountToken: { path: "token", expirationSeconds: 3_600, audience: "vault" } },
  ],
};
const pod: Pod = {
  metadata: { name: "web", namespace: "d", uid: "u1" },
  spec: { containers: [], serviceAccountName: "bot", volumes: [{ name: "t", projected }] },
};
const key = tokenKey({ audience: "vault", expirationSeconds: 3_600 });

let world: SimWorld;
let asked: unknown[];
let away: boolean;
let tokens: Tokens;

beforeEach(() => {
  world = createWorld({ seed: 1 });
  asked = [];
  away = false;
  const api = {
    async createSubresource(_kind: unknown, ...rest: unknown[]) {
      if (away) throw new Error("the API is away");
      asked.push(rest);
      const expirationTimestamp = new Date(world.clock.now() + 3_600_000).toISOString();
      return { status: { token: `token-${asked.length}`, expirationTimestamp } };
    },
  };
  tokens = new Tokens(api, world.clock, world.log);
});

async function tokenAfter(ms: number): Promise<string | undefined> {
  await world.run({ maxVirtualMs: ms });
  return (await tokens.of(pod)).get(key);
}

describe("tokens", () => {
  test("tokens: one is asked for by the pod's account, bound to the pod, and kept", async () => {
    expect(await tokenAfter(0)).toBe("token-1");
    expect(await tokenAfter(60_000)).toBe("token-1");
    expect(asked).toEqual([
      [
        "d/bot",
        "token",
        expect.objectContaining({
          spec: {
            audiences: ["vault"],
            expirationSeconds: 3_600,
            boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "web", uid: "u1" },
          },
        }),
      ],
    ]);
  });

  test("tokens: another one comes when four fifths of the life are over", async () => {
    expect(await tokenAfter(0)).toBe("token-1");
    expect(await tokenAfter(2_879_000)).toBe("token-1");
    expect(await tokenAfter(2_000)).toBe("token-2");
  });

  test("tokens: while the API is away the old one serves until it has run out", async () => {
    await tokenAfter(0);
    away = true;
    expect(await tokenAfter(3_000_000)).toBe("token-1");
    await expect(tokenAfter(601_000)).rejects.toThrow("failed to fetch token: the API is away");
  });

  test("tokens: a forgotten pod's token is not given to the next one", async () => {
    await tokenAfter(0);
    tokens.forget("u1");
    expect(await tokenAfter(0)).toBe("token-2");
  });

  test("tokens: the volume holds it under its path", () => {
    const sources = { configMaps: new Map(), secrets: new Map(), services: [], allocatable: {} };
    const place = { podIP: "", nodeIP: "", nodeName: "" };
    const [volume] = pod.spec.volumes ?? [];
    if (!volume) throw new Error("no volume");
    const plan = planVolume(pod, volume, { ...sources, ...place, tokens: new Map([[key, "abc"]]) });
    expect(plan).toEqual({
      type: "files",
      files: [{ path: "token", data: new TextEncoder().encode("abc"), mode: 0o644 }],
    });
    const without = { ...sources, ...place, tokens: new Map() };
    expect(() => planVolume(pod, volume, without)).toThrow("failed to fetch token");
  });
});
