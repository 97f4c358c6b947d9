/**
 * Each role's credentials against a real server: what it may do works, everything else is refused.
 * `subjects` lists every subject of the design, once for each principal and node there is.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection, nkeyAuthenticator, PermissionViolationError } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actorRoles, principalOf, type Role } from "../../../deploy/nats/roles.ts";
import { type NatsServer, startNats } from "../../../deploy/nats/server.ts";
import { freePort } from "../../../deploy/ports.ts";
import { ensureTools } from "../../../deploy/setup/index.ts";
import { createLog } from "../../../runtime/log.ts";
import { encodeToken } from "../../../runtime/token.ts";

const roles: Role[] = [...actorRoles, "admin", "node:alpha", "node:beta"];
const nodes = ["alpha", "beta"];

/** Subjects that belong to one principal: `own` to its holder, and to the roles in `servedBy`. */
function subjectsOf(role: Role): string[] {
  const me = encodeToken(principalOf(role));
  return [
    `wherry.api.${me}.get.core.pods.default.web`,
    `wherry.session.${me}.replica.session`,
    `wherry.manifests.apply.${me}`,
    `wherry.manifests.submit.${me}`,
    `wherry.manifests.results.${me}.id`,
    `wherry.ledger.${me}.bind`,
    `wherry.owner.${me}.lease`,
    `wherry.dead.${me}.actor`,
    `_INBOX.${me}.x`,
  ];
}

const sharedSubjects = [
  ...nodes.flatMap((node) => [
    `wherry.node.${node}.exec`,
    `wherry.stream.${node}.1.up`,
    `wherry.stream.${node}.1.down`,
  ]),
  "wherry.manifests.events.added.core.pods.default.web",
  "$JS.API.INFO",
  "$JS.API.STREAM.CREATE.mine",
  "$JS.API.STREAM.MSG.GET.KV_wherry",
  "$JS.API.DIRECT.GET.KV_wherry",
  "$JS.API.CONSUMER.CREATE.KV_wherry",
  "$JS.ACK.KV_wherry.c.1.1.1.1.1",
  "$KV.wherry.core.secrets.default.token",
  "$SYS.REQ.SERVER.PING",
  "$SRV.PING",
  "somewhere.else",
];

const allSubjects = [...roles.flatMap(subjectsOf), ...sharedSubjects];

function mayPublish(role: Role, subject: string): boolean {
  const me = encodeToken(principalOf(role));
  const [, second, third] = subject.split(".");
  const node = role.startsWith("node:") ? role.slice("node:".length) : undefined;
  if (/^wherry\.(api|session|owner|dead)\./.test(subject)) return third === me;
  if (/^wherry\.manifests\.(apply|submit)\./.test(subject)) return subject.endsWith(`.${me}`);
  if (second === "ledger") return third === me && (role === "scheduler" || role === "api");
  if (subject.endsWith(".up")) return node !== undefined && third === node;
  if (subject.startsWith("$SYS") || subject.startsWith("$SRV")) return false;
  return role === "api" && subject !== "somewhere.else";
}

function maySubscribe(role: Role, subject: string): boolean {
  const me = encodeToken(principalOf(role));
  const [first, second, third, fourth] = subject.split(".");
  const node = role.startsWith("node:") ? role.slice("node:".length) : undefined;
  if (first === "_INBOX") return second === me;
  if (subject.startsWith("wherry.manifests.results.")) return fourth === me;
  if (second === "owner") return third === me;
  if (second === "dead") return role === "admin";
  if (second === "ledger") return role === "ledger";
  if (second === "node" || subject.endsWith(".down")) return node !== undefined && third === node;
  if (subject.startsWith("wherry.manifests.events.")) return role === "admin";
  return role === "api" && first === "wherry";
}

describe("nats permissions", () => {
  let dataDir: string;
  let server: NatsServer;

  beforeAll(async () => {
    const tools = await ensureTools({
      needs: ["nats-server"],
      install: true,
      log: () => undefined,
    });
    dataDir = await mkdtemp(join(tmpdir(), "wherry-nats-"));
    server = await startNats({
      dataDir,
      natsServer: tools["nats-server"],
      host: "127.0.0.1",
      port: await freePort("127.0.0.1"),
      roles,
      log: createLog({ level: "error" }),
    });
  });

  afterAll(async () => {
    await server.child.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function connectAs(role: Role): Promise<NatsConnection> {
    const { seed } = server.credentials(role);
    return connect({
      servers: server.url,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
      inboxPrefix: `_INBOX.${encodeToken(principalOf(role))}`,
    });
  }

  /** Tries everything, and returns what the server refused. */
  async function refused(connection: NatsConnection): Promise<Set<string>> {
    const refusals = new Set<string>();
    const last = "the.last.of.all";
    const heard = (async () => {
      for await (const status of connection.status()) {
        if (status.type !== "error") continue;
        if (!(status.error instanceof PermissionViolationError)) throw status.error;
        if (status.error.subject === last) return;
        refusals.add(`${status.error.operation} ${status.error.subject}`);
      }
    })();
    for (const subject of allSubjects) {
      connection.publish(subject, "{}");
      connection.subscribe(subject, { callback: () => undefined });
    }
    // The server refuses in order: when it refuses this one, it has refused all the others.
    connection.publish(last);
    await heard;
    return refusals;
  }

  test.each(roles)("nats: %s can do its own and nothing else", async (role) => {
    const connection = await connectAs(role);
    try {
      const refusals = await refused(connection);
      const expected = new Set([
        ...allSubjects.filter((it) => !mayPublish(role, it)).map((it) => `publish ${it}`),
        ...allSubjects.filter((it) => !maySubscribe(role, it)).map((it) => `subscription ${it}`),
      ]);
      expect([...refusals].sort()).toEqual([...expected].sort());
    } finally {
      await connection.close();
    }
  });

  test("nats: who has no key, or a key of nobody, does not get in", async () => {
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow();
    const { nkeys } = await import("nats");
    const stranger = nkeyAuthenticator(nkeys.createUser().getSeed());
    const attempt = connect({ servers: server.url, authenticator: stranger, reconnect: false });
    await expect(attempt).rejects.toThrow();
  });

  test("nats: a request to a node is answered to its requester, once", async () => {
    const api = await connectAs("api");
    const node = await connectAs("node:alpha");
    try {
      const refusal = (async () => {
        for await (const status of node.status()) {
          if (status.type === "error") return String(status.error);
        }
      })();
      node.subscribe("wherry.node.alpha.*", {
        callback: (_, message) => {
          message.respond("first");
          message.respond("second");
        },
      });
      await node.flush();
      const answer = await api.request("wherry.node.alpha.logs", "{}", { timeout: 5_000 });
      expect(answer.string()).toBe("first");
      expect(await refusal).toContain("Permissions Violation");
    } finally {
      await api.close();
      await node.close();
    }
  });
});
