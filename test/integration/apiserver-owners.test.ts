/** managedFields of every way to write, and server-side apply by stock kubectl. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap, Deployment } from "../../manifests/index.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import {
  configMap,
  configMaps,
  deployments,
  mergePatch,
  ownerNames,
  ownersOf,
  type RestClient,
  restClient,
  web,
} from "../harness/rest.ts";

let env: TestHttpsApi;
let rest: RestClient;
let api: Api;

beforeAll(async () => {
  env = await startHttpsApi();
  rest = await restClient(env);
  api = await env.client();
});

afterAll(async () => {
  rest.close();
  await env.dispose();
});

describe("managedFields", () => {
  test("managedFields: a create is its user agent's, without what was defaulted to nothing", async () => {
    const headers = { "user-agent": "prog/v1.2 (linux)" };
    const made = await rest.ask("POST", deployments, web("made"), "application/json", headers);
    expect(ownersOf(made.json)).toEqual([
      {
        manager: "prog",
        operation: "Update",
        apiVersion: "apps/v1",
        time: made.json.metadata.creationTimestamp,
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:spec": {
            "f:progressDeadlineSeconds": {},
            "f:replicas": {},
            "f:revisionHistoryLimit": {},
            "f:selector": {},
            "f:strategy": {
              "f:rollingUpdate": { ".": {}, "f:maxSurge": {}, "f:maxUnavailable": {} },
              "f:type": {},
            },
            "f:template": {
              "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
              "f:spec": {
                "f:containers": {
                  'k:{"name":"nginx"}': {
                    ".": {},
                    "f:image": {},
                    "f:imagePullPolicy": {},
                    "f:name": {},
                    "f:ports": {
                      ".": {},
                      'k:{"containerPort":80,"protocol":"TCP"}': {
                        ".": {},
                        "f:containerPort": {},
                        "f:protocol": {},
                      },
                    },
                    "f:resources": {},
                    "f:terminationMessagePath": {},
                    "f:terminationMessagePolicy": {},
                  },
                },
                "f:dnsPolicy": {},
                "f:restartPolicy": {},
                "f:schedulerName": {},
                "f:securityContext": {},
                "f:terminationGracePeriodSeconds": {},
              },
            },
          },
        },
      },
    ]);
  });

  test("managedFields: what admission adds and what a bind decides is nobody's", async () => {
    const spec = { containers: [{ name: "a", image: "i" }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "admitted" }, spec };
    const pods = "/api/v1/namespaces/default/pods";
    const { json } = await rest.ask("POST", pods, pod);
    expect(json.spec.tolerations).toHaveLength(2);
    expect(json.status.phase).toBe("Pending");
    const [owner] = ownersOf(json);
    expect(Object.keys(owner?.fieldsV1 ?? {})).toEqual(["f:spec"]);
    const owned = JSON.stringify(owner?.fieldsV1);
    expect(owned).toContain("f:restartPolicy");
    for (const added of ["tolerations", "serviceAccount", "priority", "status"]) {
      expect(owned).not.toContain(`f:${added}`);
    }
  });

  test("managedFields: every way to write leaves its mark", async () => {
    await rest.ask("POST", `${deployments}?fieldManager=maker`, web("ways"));
    const path = `${deployments}/ways`;
    await rest.ask("PATCH", `${path}?fieldManager=patcher`, { spec: { paused: true } }, mergePatch);
    const current = (await rest.ask("GET", path)).json;
    current.metadata.labels = { by: "putter" };
    await rest.ask("PUT", `${path}?fieldManager=putter`, current);
    const status = { status: { observedGeneration: 1 } };
    await rest.ask("PATCH", `${path}/status?fieldManager=watcher`, status, mergePatch);
    await rest.ask(
      "PATCH",
      `${path}/scale?fieldManager=scaler`,
      { spec: { replicas: 5 } },
      mergePatch,
    );
    const { json } = await rest.ask("GET", path);
    const found = Object.fromEntries(
      ownersOf(json).map((owner) => [
        `${owner.manager} ${owner.subresource ?? ""}`,
        owner.fieldsV1,
      ]),
    );
    expect(found).toMatchObject({
      "patcher ": { "f:spec": { "f:paused": {} } },
      "putter ": { "f:metadata": { "f:labels": { ".": {}, "f:by": {} } } },
      "watcher status": { "f:status": { "f:observedGeneration": {} } },
      "scaler scale": { "f:spec": { "f:replicas": {} } },
    });
    expect(found["maker "]).not.toMatchObject({ "f:spec": { "f:replicas": {} } });
    const conflict = await rest.apply(path, "m", web("ways", { replicas: 1 }));
    expect(conflict.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
    );
  });

  test("managedFields: a Scale may be applied, and owns the replicas", async () => {
    await rest.ask("POST", deployments, web("scaled"));
    const body = {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "scaled" },
      spec: { replicas: 4 },
    };
    const path = `${deployments}/scaled/scale`;
    const refused = await rest.apply(path, "s", body);
    expect(refused.json).toMatchObject({ code: 409, reason: "Conflict" });
    const scaled = await rest.apply(path, "s", body, "&force=true");
    expect(scaled.json).toMatchObject({ kind: "Scale", spec: { replicas: 4 } });
    const { json } = await rest.ask("GET", `${deployments}/scaled`);
    expect(ownersOf(json).find(({ operation }) => operation === "Apply")).toMatchObject({
      manager: "s",
      operation: "Apply",
      apiVersion: "apps/v1",
      subresource: "scale",
      fieldsV1: { "f:spec": { "f:replicas": {} } },
    });
  });

  test("managedFields: an actor's writes are its principal's", async () => {
    await api.create(ConfigMap, {
      metadata: { name: "actors", namespace: "default" },
      data: { a: "1" },
    });
    const made = await api.get(ConfigMap, "default/actors");
    expect(ownerNames(made)).toEqual([`${api.principal} Update`]);
  });

  test("managedFields: can be let go of, and come back when somebody applies", async () => {
    const path = `${configMaps}/reset`;
    await rest.ask("POST", configMaps, configMap("reset", { a: "1" }));
    const reset = await rest.ask("PATCH", path, { metadata: { managedFields: [{}] } }, mergePatch);
    expect(reset.code).toBe(200);
    expect(reset.json.metadata.managedFields).toBeUndefined();
    const untracked = await rest.ask("PATCH", path, { data: { b: "2" } }, mergePatch);
    expect(untracked.json.metadata.managedFields).toBeUndefined();
    const applied = await rest.apply(path, "m", configMap("reset", { a: "1" }));
    expect(ownerNames(applied.json)).toEqual(["m Apply", "before-first-apply Update"]);
    expect((await rest.apply(path, "m", configMap("reset", { a: "2" }))).json.message).toContain(
      'conflict with "before-first-apply" using v1: .data.a',
    );
  });

  test("managedFields: what a write says of them counts only when it makes sense", async () => {
    const path = `${configMaps}/said`;
    const { json } = await rest.ask(
      "POST",
      `${configMaps}?fieldManager=m`,
      configMap("said", { a: "1" }),
    );
    const say = (managedFields: unknown) =>
      rest.ask("PATCH", path, { metadata: { managedFields } }, mergePatch);
    expect(ownersOf((await say([])).json)).toEqual(ownersOf(json));
    expect(ownersOf((await say([{ manager: "x" }])).json)).toEqual(ownersOf(json));
    const [owner] = ownersOf(json);
    const said = await say([{ ...owner, manager: "n" }]);
    expect(ownerNames(said.json)).toEqual(["n Update"]);
  });

  test("managedFields: a write that changes nothing changes no time", async () => {
    const path = `${configMaps}/quiet`;
    const { json } = await rest.ask("POST", configMaps, configMap("quiet", { a: "1" }));
    const same = await rest.ask(
      "PATCH",
      `${path}?fieldManager=other`,
      { data: { a: "1" } },
      mergePatch,
    );
    expect(same.json.metadata).toEqual(json.metadata);
  });
});

describe("kubectl: server-side apply", () => {
  const manifest = (replicas: number, image = "nginx:1.22") =>
    JSON.stringify({
      ...web("kube", { replicas }),
      spec: {
        ...web("kube", { replicas }).spec,
        template: {
          metadata: { labels: { app: "kube" } },
          spec: { containers: [{ name: "nginx", image }] },
        },
      },
    });
  const kubectl = (args: string[], input?: string, fails = false) =>
    env.kubectl(args, { input, fails });

  test("kubectl: apply --server-side creates and changes, diff and dry-run see the same", async () => {
    const apply = ["apply", "--server-side", "-f", "-"];
    const said = "deployment.apps/kube serverside-applied\n";
    expect(await kubectl(apply, manifest(1))).toBe(said);
    expect(await kubectl(["diff", "--server-side", "-f", "-"], manifest(1))).toBe("");
    const diff = await env
      .kubectl(["diff", "--server-side", "-f", "-"], { input: manifest(2) })
      .catch((error: Error) => error.message);
    expect(diff).not.toContain("error");
    const dry = await kubectl(
      [...apply, "--dry-run=server", "-o", "jsonpath={.spec.replicas}"],
      manifest(2),
    );
    expect(dry).toBe("2");
    expect(await kubectl(apply, manifest(3))).toBe(said);
    const shown = await kubectl([
      "get",
      "deployment",
      "kube",
      "-o",
      "yaml",
      "--show-managed-fields",
    ]);
    expect(shown).toContain("manager: kubectl\n    operation: Apply");
    expect(await kubectl(["get", "deployment", "kube", "-o", "yaml"])).not.toContain(
      "managedFields",
    );
  });

  test("kubectl: conflicts are shown with advice, and --force-conflicts overrules them", async () => {
    await kubectl(["scale", "deployment/kube", "--replicas=5"]);
    const apply = ["apply", "--server-side", "-f", "-"];
    const conflict = await kubectl(apply, manifest(3), true);
    expect(conflict).toContain(
      'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
    );
    expect(conflict).toContain("Please review the fields above");
    expect(await kubectl([...apply, "--force-conflicts"], manifest(3))).toContain(
      "serverside-applied",
    );
  });

  test("kubectl: what was applied by the client is taken over without a conflict", async () => {
    const before = manifest(1).replaceAll("kube", "moved");
    const after = manifest(2, "nginx:1.23").replaceAll("kube", "moved");
    expect(await kubectl(["apply", "-f", "-"], before)).toBe("deployment.apps/moved created\n");
    const client = await api.get(Deployment, "default/moved");
    expect(ownerNames(client)).toEqual(["kubectl-client-side-apply Update"]);
    expect(await kubectl(["apply", "--server-side", "-f", "-"], after)).toContain(
      "serverside-applied",
    );
    const server = await api.get(Deployment, "default/moved");
    expect(server.spec).toMatchObject({ replicas: 2 });
    expect(ownerNames(server)).toContain("kubectl Apply");
    // Client-side apply finds what server-side apply has done since.
    expect(await kubectl(["apply", "-f", "-"], after)).toContain("deployment.apps/moved ");
    expect(
      server.metadata.annotations?.["kubectl.kubernetes.io/last-applied-configuration"],
    ).toContain("nginx:1.23");
  });

  test("kubectl: somebody else's manager does not inherit from client-side apply", async () => {
    const name = "foreign";
    const before = manifest(1).replaceAll("kube", name);
    const after = manifest(2).replaceAll("kube", name);
    await kubectl(["apply", "-f", "-"], before);
    const refused = await kubectl(
      ["apply", "--server-side", "--field-manager=argo", "-f", "-"],
      after,
      true,
    );
    expect(refused).toContain(
      'conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    );
  });
});
