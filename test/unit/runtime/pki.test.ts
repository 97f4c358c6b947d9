import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { connect, createServer } from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import type { CertificateAndKey } from "../../../runtime/pki.ts";
import {
  createAuthority,
  describeCertificate,
  issueClientCertificate,
  issueServerCertificate,
  verifyCertificate,
} from "../../../runtime/pki.ts";
import { realClock } from "../../../runtime/real.ts";

const dayMs = 24 * 3_600_000;
const validity = { clock: realClock, days: 365 };
let authority: CertificateAndKey;

beforeAll(async () => {
  authority = await createAuthority({ ...validity, commonName: "wherry-ca", days: 3650 });
});

describe("pki", () => {
  test("pki: an authority signs itself, is one, and lasts as long as asked", async () => {
    const clock = { now: () => 1_800_000_000_000 };
    const { certificate } = await createAuthority({ clock, days: 10, commonName: "old" });
    const facts = describeCertificate(certificate);
    expect(facts).toMatchObject({ commonName: "old", isAuthority: true });
    expect(facts.notAfter).toBe(clock.now() + 10 * dayMs);
    expect(facts.notBefore).toBe(clock.now() - 5 * 60_000);
    const later = (days: number) => ({ now: () => clock.now() + days * dayMs });
    expect(await verifyCertificate(certificate, certificate, clock)).toBe(true);
    expect(await verifyCertificate(certificate, certificate, later(11))).toBe(false);
    expect(await verifyCertificate(certificate, certificate, later(-1))).toBe(false);
  });

  test("pki: a user's certificate carries user and groups, whatever they are called", async () => {
    const user = '#00 system:node:a,O=evil+"x"';
    const groups = ["system:nodes", "team, with comma"];
    const { certificate } = await issueClientCertificate(authority, { ...validity, user, groups });
    const facts = describeCertificate(certificate);
    expect(facts.commonName).toBe(user);
    expect(facts.organizations).toEqual(groups);
    expect(facts.isAuthority).toBe(false);
    expect(await verifyCertificate(authority.certificate, certificate, realClock)).toBe(true);
  });

  test("pki: a server's certificate tells names from addresses", async () => {
    const hosts = ["localhost", "kubernetes.default.svc", "127.0.0.1", "10.96.0.1", "::1"];
    const issued = await issueServerCertificate(authority, {
      ...validity,
      commonName: "wherry-api",
      hosts,
    });
    expect(describeCertificate(issued.certificate)).toMatchObject({
      names: ["localhost", "kubernetes.default.svc"],
      addresses: ["127.0.0.1", "10.96.0.1", "::1"],
    });
  });

  test("pki: what another authority of the same name signed is not ours", async () => {
    const impostor = await createAuthority({ ...validity, commonName: "wherry-ca" });
    const forged = await issueClientCertificate(impostor, {
      ...validity,
      user: "admin",
      groups: ["system:masters"],
    });
    expect(await verifyCertificate(authority.certificate, forged.certificate, realClock)).toBe(
      false,
    );
    expect(await verifyCertificate(impostor.certificate, forged.certificate, realClock)).toBe(true);
    const chained = await issueClientCertificate(forged, { ...validity, user: "x", groups: [] });
    expect(await verifyCertificate(forged.certificate, chained.certificate, realClock)).toBe(false);
  });

  test("pki: serial numbers do not repeat", async () => {
    const issued = await Promise.all(
      Array.from({ length: 20 }, () =>
        issueClientCertificate(authority, { ...validity, user: "u", groups: [] }),
      ),
    );
    const serials = issued.map(({ certificate }) => describeCertificate(certificate).serialNumber);
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  test("pki: TLS with client certificates works with what was issued, and only with that", async () => {
    const server = await issueServerCertificate(authority, {
      ...validity,
      commonName: "api",
      hosts: ["127.0.0.1"],
    });
    const client = await issueClientCertificate(authority, {
      ...validity,
      user: "alice",
      groups: ["dev", "ops"],
    });
    const listening = createServer({
      ca: authority.certificate,
      cert: server.certificate,
      key: server.key,
      requestCert: true,
      rejectUnauthorized: true,
    });
    listening.on("secureConnection", (socket: TLSSocket) => {
      socket.end(JSON.stringify(socket.getPeerCertificate().subject));
    });
    listening.listen(0, "127.0.0.1");
    await once(listening, "listening");
    const { port } = listening.address() as AddressInfo;
    const dial = async (given: Partial<CertificateAndKey>): Promise<string> => {
      const socket = connect({
        host: "127.0.0.1",
        port,
        ca: authority.certificate,
        cert: given.certificate,
        key: given.key,
      });
      let answer = "";
      socket.on("data", (data) => {
        answer += data;
      });
      await once(socket, "close");
      return answer;
    };
    try {
      expect(JSON.parse(await dial(client))).toEqual({ O: ["dev", "ops"], CN: "alice" });
      const stranger = await createAuthority({ ...validity, commonName: "stranger" });
      // Whether the refusal is seen as an error or as an end is a matter of timing.
      expect(await dial(stranger).catch(() => "")).toBe("");
      expect(await dial({}).catch(() => "")).toBe("");
    } finally {
      listening.close();
      await once(listening, "close");
    }
  });
});
