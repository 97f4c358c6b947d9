/** What every cluster has, what stock kubectl can do with it, and how it answers bad input. */
import { stat, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster();
});

afterAll(() => cluster?.purge());

/** A manifest, applied through standard input, that must be refused; what kubectl said of it. */
async function refusal(manifest: object | string, ...args: string[]): Promise<string> {
  const path = join(cluster.dataDir, `bad-${Math.random().toString(36).slice(2)}.yaml`);
  await writeFile(path, typeof manifest === "string" ? manifest : JSON.stringify(manifest));
  const ran = await cluster.tryKubectl("create", "-f", path, ...args);
  expect(ran.code).not.toBe(0);
  return ran.stderr;
}

const configMap = (more: object) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "bad" },
  ...more,
});

describe("every cluster", () => {
  it("has its namespaces", async () => {
    const { items } = await cluster.json("get", "namespaces");
    const names = items.map((it: { metadata: { name: string } }) => it.metadata.name).sort();
    expect(names).toEqual(["default", "kube-node-lease", "kube-public", "kube-system"]);
  });

  it("has a ready node with a fresh lease", async () => {
    await cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=30s");
    const [node] = (await cluster.json("get", "nodes")).items;
    const { name } = node.metadata;
    const lease = await waitFor("the lease", () =>
      cluster.json("get", "lease", "-n", "kube-node-lease", name),
    );
    expect(lease.spec.holderIdentity).toBe(name);
    expect(node.status.nodeInfo.containerRuntimeVersion).toMatch(/^docker:\/\//);
    expect(node.spec.podCIDR).toBe("10.244.0.0/24");
  });

  it("has the Services that pods rely on", async () => {
    const kubernetes = await cluster.json("get", "service", "kubernetes");
    expect(kubernetes.spec.clusterIP).toBe("10.96.0.1");
    const dns = await cluster.json("get", "service", "kube-dns", "-n", "kube-system");
    expect(dns.spec.clusterIP).toBe("10.96.0.10");
  });

  it("gives every namespace an account and the root certificate", async () => {
    await cluster.kubectl("create", "namespace", "fresh");
    await waitFor("both", async () => {
      await cluster.json("get", "serviceaccount", "default", "-n", "fresh");
      const roots = await cluster.json("get", "configmap", "kube-root-ca.crt", "-n", "fresh");
      return roots.data["ca.crt"].includes("BEGIN CERTIFICATE");
    });
    await cluster.kubectl("delete", "namespace", "fresh", "--timeout=30s");
  });

  it("can be reached and named from a pod", async () => {
    const script = [
      "cat /etc/resolv.conf",
      "until nslookup kubernetes.default.svc.cluster.local; do usleep 200000; done",
      "until nc -w 2 kubernetes 443 </dev/null; do usleep 200000; done",
      "echo reached-the-api",
    ].join("; ");
    await cluster.kubectl(
      "run",
      "visitor",
      "--image=busybox:1.35",
      "--restart=Never",
      "--",
      "sh",
      "-c",
      script,
    );
    const text = await waitFor("the visitor", async () => {
      const said = await cluster.kubectl("logs", "visitor");
      return said.includes("reached-the-api") && said;
    });
    expect(text).toContain("nameserver 10.96.0.10");
    expect(text).toContain("search default.svc.cluster.local svc.cluster.local cluster.local");
    expect(text).toContain("10.96.0.1");
  });

  it("serves the kubelet's read-only endpoint on loopback", async () => {
    const port = /kubelet.*?:(\d+)/.exec(cluster.output)?.[1] ?? "10255";
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(await answer.text()).toBe("ok");
    const pods = (await (await fetch(`http://127.0.0.1:${port}/pods`)).json()) as { kind: string };
    expect(pods.kind).toBe("PodList");
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain("# TYPE");
  });
});

describe("security", () => {
  it("keeps the kubeconfig to its owner", async () => {
    expect((await stat(cluster.kubeconfig)).mode & 0o777).toBe(0o600);
  });

  it("refuses who does not show a certificate", async () => {
    const server = new URL(
      (
        await cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
      ).trim(),
    );
    const code = await new Promise((done, reject) => {
      const url = new URL("/api/v1/secrets", server);
      request(url, { rejectUnauthorized: false }, (reply) => {
        reply.resume();
        done(reply.statusCode);
      })
        .on("error", reject)
        .end();
    });
    expect([401, 403]).toContain(code);
  });
});

describe("stock kubectl", () => {
  it("lists what the API serves", async () => {
    const text = await cluster.kubectl("api-resources");
    for (const row of [
      /^pods\s+po\s+v1\s+true\s+Pod$/m,
      /^cronjobs\s+cj\s+batch\/v1\s+true\s+CronJob$/m,
    ]) {
      expect(text).toMatch(row);
    }
    expect(await cluster.kubectl("version")).toMatch(/Server Version: v1\.32\.\d+\+wherry/);
  });

  it("creates, patches in three ways, edits and deletes", async () => {
    await cluster.kubectl("create", "configmap", "subject", "--from-literal=a=1");
    await cluster.kubectl("patch", "configmap", "subject", "-p", '{"data":{"b":"2"}}');
    await cluster.kubectl(
      "patch",
      "configmap",
      "subject",
      "--type=merge",
      "-p",
      '{"data":{"a":null}}',
    );
    const json = '[{"op":"add","path":"/data/c","value":"3"}]';
    await cluster.kubectl("patch", "configmap", "subject", "--type=json", "-p", json);
    expect((await cluster.json("get", "configmap", "subject")).data).toEqual({ b: "2", c: "3" });
    await cluster.kubectl("label", "configmap", "subject", "tier=test");
    await cluster.kubectl("annotate", "configmap", "subject", "note=kept");
    expect(await cluster.kubectl("get", "configmap", "-l", "tier=test", "-o", "name")).toBe(
      "configmap/subject\n",
    );
    expect(await cluster.kubectl("explain", "deployment.spec.replicas")).toContain(
      "FIELD: replicas",
    );
    await cluster.kubectl("delete", "configmap", "subject");
  });

  it("keeps every built-in kind, even where nobody acts on it", async () => {
    await cluster.apply(
      JSON.stringify({
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "later" },
        spec: {
          schedule: "0 3 * * *",
          jobTemplate: {
            spec: {
              template: {
                spec: {
                  restartPolicy: "Never",
                  containers: [{ name: "a", image: "busybox:1.35" }],
                },
              },
            },
          },
        },
      }),
    );
    const kept = await cluster.json("get", "cronjob", "later");
    expect(kept.spec.concurrencyPolicy).toBe("Allow");
    expect(kept.spec.jobTemplate.spec.template.spec.dnsPolicy).toBe("ClusterFirst");
    await cluster.kubectl("delete", "cronjob", "later");
  });

  it("dry-runs without a trace", async () => {
    const said = await cluster.kubectl("create", "configmap", "ghost", "--dry-run=server");
    expect(said).toContain("configmap/ghost created (server dry run)");
    expect((await cluster.tryKubectl("get", "configmap", "ghost")).stderr).toContain("NotFound");
  });
});

describe("bad input", () => {
  it.each([
    ["invalid YAML", "a: [1, 2", [], /error (parsing|converting YAML)/],
    ["an unknown field", configMap({ dta: {} }), [], /unknown field "dta"/],
    [
      "a wrong type",
      configMap({ data: { a: { b: 1 } } }),
      ["--validate=false"],
      /cannot unmarshal object/,
    ],
    [
      "a bad name",
      configMap({ metadata: { name: "Bad_Name" } }),
      [],
      /metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain/,
    ],
    [
      "a missing field",
      { apiVersion: "v1", kind: "Pod", metadata: { name: "bad" }, spec: {} },
      ["--validate=false"],
      /spec\.containers: Required value/,
    ],
    [
      "several mistakes at once",
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "bad" },
        spec: {
          selector: { matchLabels: { app: "x" } },
          template: { metadata: { labels: { app: "y" } }, spec: { containers: [{ name: "c" }] } },
        },
      },
      ["--validate=false"],
      /The Deployment "bad" is invalid:[\s\S]*`selector` does not match template `labels`[\s\S]*image: Required value|image: Required value[\s\S]*`selector` does not match template `labels`/,
    ],
    [
      "a kind that does not exist",
      { apiVersion: "v1", kind: "Ship", metadata: { name: "a" } },
      [],
      /no matches for kind "Ship"/,
    ],
    [
      "a namespace that does not exist",
      configMap({ metadata: { name: "bad", namespace: "nowhere" } }),
      [],
      /namespaces "nowhere" not found/,
    ],
    [
      "too much",
      configMap({ data: { a: "x".repeat(3_200_000) } }),
      [],
      /too large|limit is 3145728|entity is too large/i,
    ],
  ])("%s is refused in words that help", async (_, manifest, args, expected) => {
    expect(await refusal(manifest, ...args)).toMatch(expected);
  });
});
