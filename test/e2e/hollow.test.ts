/** A hundred hollow nodes in one process, and what stock kubectl waits for, edits and describes on them. */
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

const nodes = 100;
const replicas = 200;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ args: ["--engine", "sim", "--nodes", String(nodes)] });
});

afterAll(() => cluster?.purge());

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "nginx:1.22", resources: {requests: {cpu: 100m}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
`;

const shelves = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shelves.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {plural: shelves, singular: shelf, kind: Shelf}
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns: [{name: Boards, type: integer, jsonPath: .spec.boards}]
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, default: {}, properties: {boards: {type: integer, default: 3}}}
`;
const shelf = `
apiVersion: shop.example.com/v1
kind: Shelf
metadata: {name: oak}
`;

const podsOf = async (app: string): Promise<Json[]> =>
  (await cluster.json("get", "pods", "-l", `app=${app}`)).items;

describe("a hundred hollow nodes", () => {
  it("are all ready", async () => {
    const { items } = await cluster.json("get", "nodes");
    const ready = items.filter((it: Json) =>
      it.status.conditions.some((of: Json) => of.type === "Ready" && of.status === "True"),
    );
    expect(ready).toHaveLength(nodes);
    const ranges = new Set(items.map((it: Json) => it.spec.podCIDR));
    expect(ranges.size).toBe(nodes);
  });

  it("run two hundred pods, spread, each with an address of its own", async () => {
    await cluster.apply(web);
    await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
    const pods = await podsOf("web");
    expect(pods).toHaveLength(replicas);
    expect(new Set(pods.map((it) => it.status.phase))).toEqual(new Set(["Running"]));
    expect(new Set(pods.map((it) => it.status.podIP)).size).toBe(replicas);
    expect(new Set(pods.map((it) => it.spec.nodeName)).size).toBeGreaterThan(nodes / 2);
  });

  it("stand behind a Service, in slices of a hundred", async () => {
    const endpoints = await waitFor("every endpoint", async () => {
      const args = ["get", "endpointslices", "-l", "kubernetes.io/service-name=web"];
      const slices: Json[] = (await cluster.json(...args)).items;
      const all = slices.map((it) => it.endpoints ?? []);
      return all.flat().filter((it) => it.conditions.ready).length === replicas && all;
    });
    for (const slice of endpoints) expect(slice.length).toBeLessThanOrEqual(100);
  });
});

describe("stock kubectl", () => {
  it("meets a kind that arrives while it runs, and what is owned by its objects goes after them", async () => {
    await cluster.apply(shelves);
    const crd = "crd/shelves.shop.example.com";
    await cluster.kubectl("wait", "--for=condition=established", crd, "--timeout=30s");
    await cluster.apply(shelf);
    expect(await cluster.kubectl("get", "shelf", "--no-headers")).toBe("oak   3\n");
    const { metadata } = await cluster.json("get", "shelf", "oak");
    const owner = {
      apiVersion: "shop.example.com/v1",
      kind: "Shelf",
      name: "oak",
      uid: metadata.uid,
    };
    const owned = { name: "books", ownerReferences: [owner] };
    await cluster.apply(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: owned }));
    await cluster.kubectl("delete", "shelf", "oak");
    await cluster.kubectl("wait", "--for=delete", "configmap/books", "--timeout=30s");
    const file = join(cluster.dataDir, "shelf.yaml");
    await writeFile(file, shelf);
    const byWherry = async () => (await cluster.wherry("apply", "-f", file)).stdout;
    expect(await byWherry()).toBe("shelf.shop.example.com/oak created\n");
    await writeFile(file, `${shelf}spec: {boards: 5}\n`);
    expect(await byWherry()).toBe("shelf.shop.example.com/oak configured\n");
    expect(await byWherry()).toBe("shelf.shop.example.com/oak unchanged\n");
    await cluster.kubectl("delete", crd, "--timeout=30s");
    const gone = await cluster.tryKubectl("get", "--raw", "/apis/shop.example.com/v1/shelves");
    expect(gone.stderr).toContain("the server could not find the requested resource");
  });

  it("waits for what comes, and for what goes", async () => {
    const args = ["--image=busybox:1.35", "--restart=Never", "--labels=app=waited"];
    const coming = cluster.kubectl("wait", "--for=create", "pod/waited", "--timeout=30s");
    await cluster.kubectl("run", "waited", ...args);
    expect(await coming).toBe("pod/waited condition met\n");
    const phase = "--for=jsonpath={.status.phase}=Running";
    expect(await cluster.kubectl("wait", phase, "pod/waited", "--timeout=30s")).toBe(
      "pod/waited condition met\n",
    );
    const gone = cluster.kubectl("wait", "--for=delete", "pod/waited", "--timeout=30s");
    await cluster.kubectl("delete", "pod", "waited", "--wait=false");
    expect(await gone).toBe("pod/waited condition met\n");
    const never = await cluster.tryKubectl("wait", "--for=delete", "svc/web", "--timeout=1s");
    expect(never).toMatchObject({ code: 1 });
    expect(never.stderr).toContain("timed out waiting for the condition");
  });

  it("edits, and tells why an edit is refused", async () => {
    const editor = join(cluster.dataDir, "editor.sh");
    const shown = join(cluster.dataDir, "shown.yaml");
    const edit = async (script: string) => {
      await writeFile(editor, `#!/bin/sh\n${script} "$1"\ncp "$1" ${shown}\n`);
      await chmod(editor, 0o755);
      // What it could not save, kubectl leaves in the temporary folder.
      const env = { KUBE_EDITOR: editor, TMPDIR: cluster.dataDir };
      return await cluster.tryKubectlWith(env, "edit", "deployment", "web");
    };
    expect(await edit(`sed -i 's/^  replicas: ${replicas}$/  replicas: 3/'`)).toMatchObject({
      code: 0,
      stdout: "deployment.apps/web edited\n",
    });
    expect((await cluster.json("get", "deployment", "web")).spec.replicas).toBe(3);
    await waitFor("the others to go", async () => (await podsOf("web")).length === 3);
    expect((await edit("true")).stderr).toContain("Edit cancelled, no changes made");
    const refused = await edit("sed -i 's/^  replicas: 3$/  replicas: -1/'");
    expect(refused.stderr).toContain('deployments.apps "web" is invalid');
    // The editor is opened again, with the reason above what was written.
    expect(await readFile(shown, "utf8")).toContain(
      "# * spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
    expect((await cluster.json("get", "deployment", "web")).spec.replicas).toBe(3);
  });

  it("describes a node with its pods", async () => {
    const [pod] = await podsOf("web");
    const text = await cluster.kubectl("describe", "node", pod.spec.nodeName);
    for (const part of [
      /^ {2}Ready\s+True\s.*KubeletReady/m,
      /^Non-terminated Pods:\s+\(\d+ in total\)/m,
      new RegExp(`default\\s+${pod.metadata.name}\\s+100m`),
      /^ {2}cpu\s+\d+m/m,
      /Normal\s+RegisteredNode/,
    ]) {
      expect(text).toMatch(part);
    }
  });

  it("describes a Service with its endpoints, and a Deployment with its story", async () => {
    const service = await cluster.kubectl("describe", "service", "web");
    expect(service).toMatch(/^Selector:\s+app=web$/m);
    expect(service).toMatch(/^Endpoints:\s+10\.244\.\d+\.\d+:8080/m);
    const deployment = await cluster.kubectl("describe", "deployment", "web");
    for (const part of [
      /^Replicas:\s+3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable$/m,
      /^ {2}Available\s+True\s+MinimumReplicasAvailable$/m,
      /^NewReplicaSet:\s+web-\w+ \(3\/3 replicas created\)$/m,
      new RegExp(`Scaled down replica set web-\\w+ from ${replicas} to 3`),
    ]) {
      expect(deployment).toMatch(part);
    }
  });
});

describe("a watch", () => {
  /** Every frame of a watch that lasts a second. */
  async function watch(query: string): Promise<Json[]> {
    const path = `/api/v1/namespaces/kube-public/configmaps?watch=true&timeoutSeconds=1&${query}`;
    const text = await cluster.kubectl("get", "--raw", path);
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  it("goes on from a version, and ends with a bookmark to go on from", async () => {
    const args = ["-n", "kube-public"];
    const { metadata } = JSON.parse(
      await cluster.kubectl("get", "--raw", "/api/v1/namespaces/kube-public/configmaps"),
    );
    await cluster.kubectl("create", "configmap", "passing", "--from-literal=a=1", ...args);
    await cluster.kubectl("delete", "configmap", "passing", ...args);
    const from = `resourceVersion=${metadata.resourceVersion}`;
    const frames = await watch(`allowWatchBookmarks=true&${from}`);
    expect(frames.map(({ type }) => type)).toEqual(["ADDED", "DELETED", "BOOKMARK"]);
    const bookmark = frames.at(-1)?.object;
    expect(bookmark).toMatchObject({ kind: "ConfigMap", apiVersion: "v1" });
    const end = Number(bookmark.metadata.resourceVersion);
    expect(end).toBeGreaterThanOrEqual(Number(frames[1]?.object.metadata.resourceVersion));
    expect(await watch(`resourceVersion=${end}`)).toEqual([]);
  });

  it("marks the end of what was there to begin with", async () => {
    const frames = await watch(
      "allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
    );
    const marked = frames.findIndex(
      ({ object }) => object.metadata.annotations?.["k8s.io/initial-events-end"] === "true",
    );
    expect(frames[marked]?.type).toBe("BOOKMARK");
    const before = frames.slice(0, marked).map(({ object }) => object.metadata.name);
    expect(before).toEqual(["cluster-info", "kube-root-ca.crt"]);
  });
});
