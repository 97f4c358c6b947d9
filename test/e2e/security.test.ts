/** The options that say who is believed and what is recorded, as a user gives them. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster, type TestCluster } from "../harness/cluster.ts";

let cluster: TestCluster;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wherry-security-"));
  const policy = join(folder, "policy.yaml");
  await writeFile(
    policy,
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
  );
  const args = ["--engine", "sim", "--no-anonymous-auth", "--audit-policy", policy];
  cluster = await startCluster({ args });
});

afterAll(async () => {
  await cluster?.purge();
  await rm(folder, { recursive: true });
});

describe("wherry up", () => {
  it("refuses who shows no credentials, and tells by which id the audit knows it", async () => {
    const { clusters } = await cluster.json("config", "view", "--raw");
    const { server, "certificate-authority-data": ca } = clusters[0].cluster;
    const { code, id } = await new Promise<{ code?: number; id: unknown }>((resolve, reject) => {
      const options = { ca: Buffer.from(ca, "base64"), headers: { "audit-id": "from-a-test" } };
      const asked = request(`${server}/version`, options, (answer) => {
        answer.resume();
        resolve({ code: answer.statusCode, id: answer.headers["audit-id"] });
      });
      asked.on("error", reject).end();
    });
    expect([code, id]).toEqual([401, "from-a-test"]);
  });

  it("signs cluster-info for whoever holds a bootstrap token", async () => {
    await cluster.apply(
      JSON.stringify({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" },
        type: "bootstrap.kubernetes.io/token",
        stringData: {
          "token-id": "abcdef",
          "token-secret": "0123456789abcdef",
          "usage-bootstrap-signing": "true",
        },
      }),
    );
    const jsonpath = "--for=jsonpath={.data.jws-kubeconfig-abcdef}";
    const map = ["configmap/cluster-info", "-n", "kube-public", "--timeout=30s"];
    await cluster.kubectl("wait", jsonpath, ...map);
  });

  it("refuses a policy that is none, and says where", async () => {
    const bad = join(folder, "bad.yaml");
    await writeFile(bad, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]\n");
    const ran = await cluster.wherry("up", "--engine", "sim", "--audit-policy", bad);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("rules[0].level must be one of None, Metadata");
  });
});
