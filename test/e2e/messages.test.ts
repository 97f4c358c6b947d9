/**
 * Manifests by message, as any NATS client of the cluster's owner sends them: with the admin's key
 * out of the data folder, on a cluster that was started as a user starts it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, headers, type Msg, type NatsConnection, nkeyAuthenticator } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ManifestsApplied } from "../../actors/apiserver/messages.ts";
import { startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

const me = "wherry-admin";

let cluster: TestCluster;
let nats: NatsConnection;

beforeAll(async () => {
  cluster = await startCluster({ args: ["--engine", "sim"] });
  const seed = (await readFile(join(cluster.dataDir, "creds/admin.nk"), "utf8")).trim();
  nats = await connect({
    servers: /NATS at (\S+)/.exec(cluster.output)?.[1],
    inboxPrefix: `_INBOX.${me}`,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
  });
});

afterAll(async () => {
  await nats?.close();
  await cluster?.purge();
});

async function apply(text: string, query?: string): Promise<{ code: string; body: Msg }> {
  const sent = headers();
  if (query) sent.set("Wherry-Query", query);
  const options = { timeout: 10_000, headers: sent };
  const body = await nats.request(`wherry.manifests.apply.${me}`, text, options);
  return { code: body.headers?.get("Wherry-Status") ?? "", body };
}

/** Everything heard on a subject so far. */
async function listen(subject: string): Promise<Msg[]> {
  const heard: Msg[] = [];
  nats.subscribe(subject, { callback: (_, message) => void heard.push(message) });
  await nats.flush();
  return heard;
}

const web = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "nginx:1.22"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: swordfish}
`;

describe("manifests by message", () => {
  it("apply brings pods to life and says what it changed", async () => {
    const changes = async (text: string) => {
      const { code, body } = await apply(text);
      expect(code).toBe("200");
      const { results } = body.json<ManifestsApplied>();
      return results.map(({ kind, name, change }) => `${kind} ${name} ${change}`);
    };
    expect(await changes(web(2))).toEqual(["Deployment web created", "Service web created"]);
    await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=30s");
    expect(await changes(web(2))).toEqual(["Deployment web unchanged", "Service web unchanged"]);
    expect(await changes(web(3))).toEqual(["Deployment web configured", "Service web unchanged"]);
    await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=30s");
    expect((await cluster.json("get", "pods", "-l", "app=web")).items).toHaveLength(3);
  });

  it("a dry run leaves no trace, and a mistake is named", async () => {
    const { code, body } = await apply(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ghost}\n",
      "dryRun=All&namespace=kube-public",
    );
    expect(code).toBe("200");
    expect(body.json()).toMatchObject({ results: [{ namespace: "kube-public" }] });
    const missing = await cluster.tryKubectl("get", "configmap", "ghost", "-n", "kube-public");
    expect(missing.stderr).toContain("NotFound");
    const odd = await apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndta: {}\n");
    expect(odd.code).toBe("400");
    expect(odd.body.string()).toContain('unknown field \\"dta\\"');
  });

  it("a submission is kept first, and its result follows", async () => {
    const results = await listen(`wherry.manifests.results.${me}.>`);
    const sent = headers();
    sent.set("Nats-Msg-Id", "job-1");
    const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: submitted}\n";
    const subject = `wherry.manifests.submit.${me}`;
    const kept = await nats.request(subject, text, { timeout: 10_000, headers: sent });
    expect(kept.json()).toMatchObject({ stream: "wherry-submits" });
    const result = await waitFor("the result", () => results[0]);
    expect(result.subject).toBe(`wherry.manifests.results.${me}.job-1`);
    expect(result.json()).toMatchObject({ results: [{ name: "submitted", change: "created" }] });
    expect(await cluster.kubectl("get", "configmap", "submitted", "-o", "name")).toBe(
      "configmap/submitted\n",
    );
    const again = await nats.request(subject, text, { timeout: 10_000, headers: sent });
    expect(again.json()).toMatchObject({ duplicate: true });
  });

  it("every change comes out, whoever made it, and no Secret's data", async () => {
    const heard = await listen("wherry.manifests.events.>");
    await apply(secret);
    await cluster.kubectl("create", "configmap", "open", "--from-literal=shown=yes");
    await cluster.kubectl("label", "configmap", "open", "tier=test");
    await cluster.kubectl("delete", "secret/hidden", "configmap/open");
    const subjects = () =>
      heard.map(({ subject }) => subject.replace("wherry.manifests.events.", ""));
    const last = "full.deleted.core.configmaps.default.open";
    await waitFor("the last event", () => subjects().includes(last));
    expect(subjects().filter((it) => /\.(hidden|open)$/.test(it))).toEqual([
      "added.core.secrets.default.hidden",
      "added.core.configmaps.default.open",
      "full.added.core.configmaps.default.open",
      "modified.core.configmaps.default.open",
      "full.modified.core.configmaps.default.open",
      "deleted.core.secrets.default.hidden",
      "deleted.core.configmaps.default.open",
      last,
    ]);
    const versions = heard.map((message) => Number(message.headers?.get("Wherry-Revision")));
    expect(versions.every((version) => version > 0)).toBe(true);
    const full = heard.find(({ subject }) => subject.includes("full.added.core.configmaps"));
    expect(full?.json()).toMatchObject({ kind: "ConfigMap", data: { shown: "yes" } });
    const everything = heard.map((message) => message.string()).join("\n");
    expect(everything).not.toContain("swordfish");
    expect(everything).not.toContain(btoa("swordfish"));
  });

  it("nobody speaks under another's name", async () => {
    const refused = nats.request("wherry.manifests.apply.system=3Awherry=3Aapi", web(9));
    await expect(refused).rejects.toThrow(/permission/i);
    expect((await cluster.json("get", "deployment", "web")).spec.replicas).toBe(3);
  });
});
