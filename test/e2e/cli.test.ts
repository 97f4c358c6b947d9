/** The `wherry` commands as a user runs them, on a cluster of hollow nodes. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

const nginx = resolve(import.meta.dirname, "../../manifests/examples/nginx.yaml");

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ args: ["--engine", "sim"] });
});

afterAll(() => cluster?.purge());

/** What a command that must succeed printed. */
async function wherry(...args: string[]): Promise<string> {
  const ran = await cluster.wherry(...args);
  if (ran.code === 0) return ran.stdout;
  throw new Error(`wherry ${args.join(" ")} exited with ${ran.code}: ${ran.stderr}`);
}

async function file(name: string, text: string): Promise<string> {
  const path = join(cluster.dataDir, name);
  await writeFile(path, text);
  return path;
}

const configMap = (name: string, value: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {key: "${value}"}\n`;

describe("wherry apply", () => {
  it("says what it changed, as kubectl sees it too", async () => {
    expect(await wherry("apply", "-f", nginx)).toBe(
      "deployment.apps/nginx created\nservice/nginx created\n",
    );
    expect(await wherry("apply", "-f", nginx)).toBe(
      "deployment.apps/nginx unchanged\nservice/nginx unchanged\n",
    );
    expect(await cluster.kubectl("apply", "-f", nginx)).toBe(
      "deployment.apps/nginx unchanged\nservice/nginx unchanged\n",
    );
    const settings = await file("settings.yaml", configMap("settings", "1"));
    expect(await wherry("apply", "-f", settings)).toBe("configmap/settings created\n");
    await file("settings.yaml", configMap("settings", "2"));
    expect(await wherry("apply", "-f", settings, "--dry-run")).toBe(
      "configmap/settings configured (server dry run)\n",
    );
    expect((await cluster.json("get", "configmap", "settings")).data).toEqual({ key: "1" });
    expect(await wherry("apply", "-f", settings)).toBe("configmap/settings configured\n");
    expect((await cluster.json("get", "configmap", "settings")).data).toEqual({ key: "2" });
  });

  it("reads folders, and what is on another's list", async () => {
    await mkdir(join(cluster.dataDir, "several"));
    await file("several/b.yaml", configMap("second", "b"));
    await file("several/a.yaml", configMap("first", "a"));
    await file("several/notes.txt", "not a manifest");
    expect(await wherry("apply", "-f", join(cluster.dataDir, "several"), "-n", "kube-public")).toBe(
      "configmap/first created\nconfigmap/second created\n",
    );
    expect(await wherry("get", "configmap", "second", "-n", "kube-public", "-o", "name")).toBe(
      "configmap/second\n",
    );
  });

  it("goes on after a mistake and says where it was", async () => {
    const mixed = await file(
      "mixed.yaml",
      `${configMap("Bad_Name", "1")}---\n${configMap("after", "1")}---\n` +
        "apiVersion: v1\nkind: Ship\nmetadata: {name: a}\n---\n" +
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndta: {}\n",
    );
    const { code, stdout, stderr } = await cluster.wherry("apply", "-f", mixed);
    expect(code).toBe(1);
    expect(stdout).toBe("configmap/after created\n");
    expect(stderr).toContain('metadata.name: Invalid value: "Bad_Name"');
    expect(stderr).toContain('no matches for kind "Ship" in version "v1"');
    expect(stderr).toContain('unknown field "dta"');
    expect(stderr).toContain("3 of 4 could not be applied");
  });
});

describe("wherry get", () => {
  it("prints the columns that kubectl prints", async () => {
    await cluster.kubectl("rollout", "status", "deployment/nginx", "--timeout=30s");
    for (const args of [
      ["get", "pods", "-o", "wide", "-l", "app=nginx"],
      ["get", "deploy,svc"],
      ["get", "svc", "-A", "--no-headers"],
    ]) {
      const [ours, theirs] = await Promise.all([wherry(...args), cluster.kubectl(...args)]);
      expect(withoutAges(ours)).toBe(withoutAges(theirs));
    }
  });

  it("prints objects whole, as kubectl reads them back", async () => {
    const yaml = await wherry("get", "service", "nginx", "-o", "yaml");
    expect(yaml).toMatch(/^apiVersion: v1\nkind: Service\nmetadata:\n {2}annotations:\n/);
    expect(await cluster.apply(yaml)).toContain("service/nginx");
    const list = JSON.parse(await wherry("get", "pods", "-o", "json"));
    expect(list).toMatchObject({ kind: "List" });
    expect(list.items).toHaveLength(3);
    expect(list.items[0]).toMatchObject({ apiVersion: "v1", kind: "Pod" });
    expect((await wherry("get", "po,deploy", "-o", "name")).split("\n").sort()).toEqual(
      (await cluster.kubectl("get", "po,deploy", "-o", "name")).split("\n").sort(),
    );
  });

  it("goes on with what changes until it is interrupted", async () => {
    const watching = cluster.startWherry("get", "configmaps", "-w", "-n", "kube-node-lease");
    await waitFor("the list", () => watching.heard.stdout.includes("kube-root-ca.crt"));
    const args = ["-n", "kube-node-lease"];
    await cluster.kubectl("create", "configmap", "passing", "--from-literal=a=1", ...args);
    await waitFor("the new one", () => /^passing\s+1\s/m.test(watching.heard.stdout));
    await cluster.kubectl("delete", "configmap", "passing", ...args);
    const rows = () => watching.heard.stdout.match(/^passing\s/gm)?.length;
    await waitFor("its end", () => rows() === 2);
    expect(await watching.end()).toMatchObject({ code: 130, stderr: "" });
  });

  it.each([
    [["get", "pods", "nosuch"], 1, /Error from server \(NotFound\): pods "nosuch" not found/],
    [["get", "ships"], 1, /the server doesn't have a resource type "ships"/],
    [["get", "pods", "--nope"], 2, /Unknown argument: nope/],
    [["apply", "-f", "/nonexistent.yaml"], 1, /the path "\/nonexistent.yaml" does not exist/],
    [["apply"], 2, /Missing required argument: filename/],
    [["delete", "configmap", "nosuch"], 1, /configmaps "nosuch" not found/],
    [["sail"], 2, /Unknown/],
    [["get", "pods", "--kubeconfig", "/nonexistent"], 1, /\/nonexistent/],
  ])("%j fails in one line", async (args, code, expected) => {
    const ran = await cluster.wherry(...args);
    expect(ran.stderr).toMatch(expected);
    expect(ran).toMatchObject({ code, stdout: "" });
    expect(ran.stderr).not.toMatch(/^ {4}at /m);
  });
});

describe("wherry logs", () => {
  it("prints what the containers wrote", async () => {
    const { items } = await cluster.json("get", "pods", "-l", "app=nginx");
    const name = items[0].metadata.name;
    expect(await wherry("logs", name)).toBe(await cluster.kubectl("logs", name));
    expect(await wherry("logs", "deploy/nginx", "--tail", "1")).toBe(
      await cluster.kubectl("logs", name, "--tail=1"),
    );
    const { code, stderr } = await cluster.wherry("logs", name, "-c", "other");
    expect(code).toBe(1);
    expect(stderr).toContain(`container other is not valid for pod ${name}`);
  });
});

describe("wherry delete", () => {
  it("waits until the pod is gone", async () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "slow" },
      spec: { containers: [{ name: "main", image: "busybox:1.35" }] },
    };
    await wherry("apply", "-f", await file("slow.yaml", JSON.stringify(pod)));
    await cluster.kubectl("wait", "--for=condition=Ready", "pod/slow", "--timeout=30s");
    expect(await wherry("delete", "pod", "slow")).toBe('pod "slow" deleted\n');
    expect((await cluster.tryKubectl("get", "pod", "slow")).stderr).toContain("NotFound");
  });

  it("takes manifests, selectors and forgiveness", async () => {
    const settings = join(cluster.dataDir, "settings.yaml");
    expect(await wherry("delete", "-f", settings)).toBe('configmap "settings" deleted\n');
    expect(await wherry("delete", "-f", settings, "--ignore-not-found")).toBe("");
    await cluster.kubectl("label", "configmap", "after", "tier=test");
    expect(await wherry("delete", "cm", "-l", "tier=test")).toBe('configmap "after" deleted\n');
    expect(await wherry("delete", "-f", nginx)).toBe(
      'deployment.apps "nginx" deleted\nservice "nginx" deleted\n',
    );
    await waitFor("no pods", async () => (await wherry("get", "pods", "-o", "name")) === "");
  });
});

/** Ages differ between two commands, and with them the width of their column. */
function withoutAges(table: string): string {
  return table.replace(/\b\d+(?:m\d+s|[smh])\b/g, "AGE").replace(/ +/g, " ");
}
