import { describe, expect, test } from "vitest";
import { renderNatsConfig } from "../../../../deploy/nats/config.ts";
import { actorRoles, permissionsOf, type Role } from "../../../../deploy/nats/roles.ts";

const everyRole: Role[] = [...actorRoles, "admin", "node:alpha"];

describe("nats configuration", () => {
  test("nats: the whole configuration of a small cluster", async () => {
    const text = renderNatsConfig({
      serverName: "wherry",
      host: "127.0.0.1",
      port: 4222,
      storeDir: "/data/nats/store",
      users: everyRole.map((role) => ({ role, publicKey: `U-${role}` })),
      systemPublicKey: "U-system",
    });
    await expect(text).toMatchFileSnapshot("config.output.conf");
  });

  test("nats: only the API role is told of JetStream", () => {
    for (const role of everyRole.filter((it) => it !== "api")) {
      const { publish, subscribe } = permissionsOf(role);
      expect([...publish, ...subscribe].filter((it) => it.startsWith("$"))).toEqual([]);
    }
  });

  test("nats: a name with dots or wildcards stays one token of a permission", () => {
    const { publish } = permissionsOf("node:a.b.>");
    expect(publish).toContain("wherry.api.system=3Anode=3Aa=2Eb=2E=3E.>");
  });
});
