/** Server-side apply and managedFields, over HTTPS by hand and with stock kubectl. */

import { Agent, request as httpsRequest } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap, Deployment, type KubeObject } from "../../manifests/index.ts";
import { admin, startHttpsApi, type TestHttpsApi } from "../harness/https.ts";

let env: TestHttpsApi;
let api: Api;
let agent: Agent;

beforeAll(async () => {
  env = await startHttpsApi();
  api = await env.client();
  agent = new Agent({ ca: env.ca, keepAlive: true, ...(await env.credentials(admin)) });
});

afterAll(async () => {
  agent.destroy();
  await env.dispose();
});

interface Answer {
  code: number;
  json: ReturnType<typeof JSON.parse>;
  warning: string | undefined;
}

const applyPatch = "application/apply-patch+yaml";

function ask(
  method: string,
  path: string,
  body: unknown,
  contentType = "application/json",
  headers: Record<string, string> = {},
): Promise<Answer> {
  const place = { host: "127.0.0.1", port: env.port, path, method, agent };
  return new Promise((resolve, reject) => {
    const sent = { "content-type": contentType, ...headers };
    const request = httpsRequest({ ...place, headers: sent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => {
        const { warning } = response.headers;
        resolve({ code: response.statusCode ?? 0, json: JSON.parse(text), warning });
      });
    });
    request.on("error", reject);
    request.end(body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body));
  });
}

const configMaps = "/api/v1/namespaces/default/configmaps";
const deployments = "/apis/apps/v1/namespaces/default/deployments";

const apply = (path: string, manager: string, body: unknown, more = "") =>
  ask("PATCH", `${path}?fieldManager=${manager}${more}`, body, applyPatch);

function configMap(name: string, data: object, metadata: object = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data };
}

const web = (name: string, spec: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [{ name: "nginx", image: "nginx:1.22", ports: [{ containerPort: 80 }] }],
      },
    },
    ...spec,
  },
});

interface Owner {
  manager?: string;
  operation: string;
  apiVersion: string;
  subresource?: string;
  time: string;
  fieldsType: string;
  fieldsV1: object;
}
const ownersOf = (object: KubeObject) => (object.metadata.managedFields ?? []) as Owner[];
const names = (object: KubeObject) =>
  ownersOf(object).map(({ manager, operation, subresource }) =>
    [manager, operation, subresource].filter(Boolean).join(" "),
  );

describe("apply: objects", () => {
  test("apply: creates, then changes, then leaves alone", async () => {
    const path = `${configMaps}/one`;
    const created = await apply(path, "m", configMap("one", { a: "1" }));
    expect(created.code).toBe(201);
    expect(ownersOf(created.json)).toEqual([
      {
        manager: "m",
        operation: "Apply",
        apiVersion: "v1",
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        fieldsType: "FieldsV1",
        fieldsV1: { "f:data": { "f:a": {} } },
      },
    ]);
    const changed = await apply(path, "m", configMap("one", { b: "2" }));
    expect(changed).toMatchObject({ code: 200, json: { data: { b: "2" } } });
    expect(changed.json.data).toEqual({ b: "2" });
    const same = await apply(path, "m", configMap("one", { b: "2" }));
    expect(same.json.metadata).toEqual(changed.json.metadata);
  });

  test("apply: takes YAML, and a dry run keeps nothing", async () => {
    const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dry}\ndata: {a: b}\n";
    const dry = await apply(`${configMaps}/dry`, "m", yaml, "&dryRun=All");
    expect(dry).toMatchObject({ code: 201, json: { data: { a: "b" } } });
    expect((await ask("GET", `${configMaps}/dry`, undefined)).code).toBe(404);
  });

  test("apply: one conflict and several read as upstream's, and force moves the fields", async () => {
    const path = `${deployments}/conflict`;
    const first = web("conflict", { replicas: 1, paused: true });
    expect((await apply(path, "first", first)).code).toBe(201);
    const scaled = web("conflict", { replicas: 2 });
    const one = await apply(path, "second", scaled);
    expect(one.json).toMatchObject({
      kind: "Status",
      reason: "Conflict",
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "first": .spec.replicas',
      details: {
        causes: [
          {
            reason: "FieldManagerConflict",
            message: 'conflict with "first"',
            field: ".spec.replicas",
          },
        ],
      },
    });
    const merge = "application/merge-patch+json";
    const image = { name: "nginx", image: "nginx:1.23", ports: [{ containerPort: 80 }] };
    const template = { spec: { containers: [image] } };
    const patched = await ask("PATCH", `${path}?fieldManager=third`, { spec: { template } }, merge);
    expect(patched.code).toBe(200);
    const several = await apply(path, "second", web("conflict", { replicas: 2, paused: false }));
    expect(several.json.message).toBe(
      [
        'Apply failed with 3 conflicts: conflicts with "first":',
        "- .spec.paused",
        "- .spec.replicas",
        'conflicts with "third" using apps/v1:',
        '- .spec.template.spec.containers[name="nginx"].image',
      ].join("\n"),
    );
    const forced = await apply(path, "second", scaled, "&force=true");
    expect(forced).toMatchObject({ code: 200, json: { spec: { replicas: 2, paused: true } } });
    // What is applied and owned by nobody else goes back to its default.
    const left = await apply(path, "second", web("conflict"));
    expect(left.json.spec.replicas).toBe(1);
    expect(left.json.metadata.generation).toBe(4);
  });

  test("apply: fields with two owners stay until both let go", async () => {
    const path = `${configMaps}/shared`;
    await apply(path, "a", configMap("shared", { x: "1", y: "1" }));
    await apply(path, "b", configMap("shared", { x: "1" }));
    expect((await apply(path, "a", configMap("shared", { y: "1" }))).json.data).toEqual({
      x: "1",
      y: "1",
    });
    expect((await apply(path, "b", configMap("shared", {}))).json.data).toEqual({ y: "1" });
  });

  test("apply: status has its own owners, and the main resource none of it", async () => {
    const path = `${deployments}/status`;
    const body = { ...web("status"), status: { replicas: 9 } };
    const made = await apply(path, "m", body);
    expect(made.json.status.replicas ?? 0).toBe(0);
    const status = await apply(`${path}/status`, "controller", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "status" },
      spec: { replicas: 7 },
      status: { replicas: 3 },
    });
    expect(status).toMatchObject({
      code: 200,
      json: { spec: { replicas: 1 }, status: { replicas: 3 } },
    });
    expect(names(status.json)).toEqual(["controller Apply status", "m Apply"]);
    expect(ownersOf(status.json)[0]?.fieldsV1).toEqual({ "f:status": { "f:replicas": {} } });
    expect(JSON.stringify(ownersOf(status.json)[1])).not.toContain("f:status");
    expect((await apply(`${deployments}/nobody/status`, "m", web("nobody"))).code).toBe(404);
  });

  test("apply: who may patch but not create is told so", async () => {
    const nobody = await env.kubeconfigOf({ user: "carol", groups: [] });
    const input = JSON.stringify(configMap("carols", {}));
    const refused = await env.kubectl(["apply", "--server-side", "-f", "-"], {
      kubeconfig: nobody,
      input,
      fails: true,
    });
    expect(refused).toContain('User "carol" cannot patch resource "configmaps"');
  });

  test("apply: a second version of a kind is applied in its own fields", async () => {
    const scalers = "/namespaces/default/horizontalpodautoscalers/h";
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
    const hpa = (apiVersion: string, spec: object) => ({
      apiVersion,
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "h" },
      spec: { scaleTargetRef, maxReplicas: 3, ...spec },
    });
    const first = hpa("autoscaling/v1", { targetCPUUtilizationPercentage: 60 });
    expect((await apply(`/apis/autoscaling/v1${scalers}`, "a", first)).code).toBe(201);
    const second = await apply(`/apis/autoscaling/v2${scalers}`, "b", {
      ...hpa("autoscaling/v2", {}),
      spec: { scaleTargetRef, maxReplicas: 4 },
    });
    expect(second.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "a": .spec.maxReplicas',
    );
  });
});

describe("apply: refusals", () => {
  const path = `${configMaps}/refused`;
  const good = configMap("refused", { a: "1" });
  test.each<[string, string, unknown, number, string | RegExp]>([
    [
      "no manager",
      "",
      good,
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ],
    [
      "a manager beyond all measure",
      `fieldManager=${"x".repeat(129)}`,
      good,
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
    ],
    [
      "a manager nobody can read",
      "fieldManager=a%0Ab",
      good,
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\nb": should only contain printable characters',
    ],
    [
      "managedFields",
      "fieldManager=m",
      { ...good, metadata: { name: "refused", managedFields: [] } },
      400,
      "metadata.managedFields must be nil",
    ],
    [
      "another kind",
      "fieldManager=m",
      { ...good, kind: "Secret" },
      400,
      "invalid object type: /v1, Kind=Secret",
    ],
    ["no kind", "fieldManager=m", {}, 400, "invalid object type: /, Kind="],
    [
      "another name",
      "fieldManager=m",
      configMap("other", {}),
      400,
      "the name of the object (other) does not match the name on the URL (refused)",
    ],
    [
      "another namespace",
      "fieldManager=m",
      configMap("refused", {}, { namespace: "kube-system" }),
      400,
      "the namespace of the object (kube-system) does not match the namespace on the request (default)",
    ],
    [
      "a name to be made up",
      "fieldManager=m",
      { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "x-" } },
      400,
      "the name of the object (refused based on URL) was undeterminable: name must be provided",
    ],
    [
      "a uid of what is not there",
      "fieldManager=m",
      configMap("refused", {}, { uid: "u" }),
      409,
      'Operation cannot be fulfilled on configmaps "refused": uid mismatch: the provided object specified uid u, and no existing object was found',
    ],
    [
      "a resourceVersion of what is not there",
      "fieldManager=m",
      configMap("refused", {}, { resourceVersion: "7" }),
      400,
      "resourceVersion should not be set on objects to be created",
    ],
    [
      "an unknown field",
      "fieldManager=m",
      { ...good, spec: {} },
      400,
      "failed to create typed patch object (/refused; /v1, Kind=ConfigMap): .spec: field not declared in schema",
    ],
    ["what is no mapping", "fieldManager=m", [1], 400, /^error decoding YAML: /],
    ["what is no YAML", "fieldManager=m", "a: b: c", 400, /^error decoding YAML: /],
  ])("apply: %s is refused", async (_, query, body, code, message) => {
    const answer = await ask("PATCH", `${path}?${query}`, body, applyPatch);
    expect(answer.json).toMatchObject({ kind: "Status", status: "Failure", code });
    if (typeof message === "string") expect(answer.json.message).toBe(message);
    else expect(answer.json.message).toMatch(message);
    expect((await ask("GET", path, undefined)).code).toBe(404);
  });

  test("apply: force is for apply alone", async () => {
    const merge = "application/merge-patch+json";
    const answer = await ask("PATCH", `${path}?force=true`, {}, merge);
    expect(answer.json.message).toBe(
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    );
  });

  test("apply: the resourceVersion and uid that are stated must be the object's", async () => {
    const stated = `${configMaps}/stated`;
    const { json } = await apply(stated, "m", configMap("stated", { a: "1" }));
    const { resourceVersion, uid } = json.metadata;
    const at = (metadata: object, a: string) =>
      apply(stated, "m", configMap("stated", { a }, metadata));
    expect((await at({ resourceVersion, uid }, "2")).code).toBe(200);
    expect((await at({ resourceVersion }, "3")).json).toMatchObject({
      code: 409,
      reason: "Conflict",
    });
    expect((await at({ uid: "other" }, "3")).json).toMatchObject({ code: 409, reason: "Conflict" });
  });

  test("apply: a field given twice is told, or refused when strict", async () => {
    const twice = `${configMaps}/twice`;
    const body =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
    const strict = await apply(twice, "m", body, "&fieldValidation=Strict");
    expect(strict.json.message).toBe('error strict decoding YAML: duplicate field "data.a"');
    expect((await apply(twice, "m", body)).warning).toContain('duplicate field \\"data.a\\"');
  });

  test("apply: list items that cannot be told apart are refused", async () => {
    const body = web("twins");
    body.spec.template.spec.containers.push(...body.spec.template.spec.containers);
    const answer = await apply(`${deployments}/twins`, "m", body);
    expect(answer).toMatchObject({ code: 400 });
    expect(answer.json.message).toContain('duplicate entries for key [name="nginx"]');
  });
});

describe("managedFields", () => {
  test("managedFields: a create is its user agent's, without what was defaulted to nothing", async () => {
    const headers = { "user-agent": "prog/v1.2 (linux)" };
    const made = await ask("POST", deployments, web("made"), "application/json", headers);
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

  test("managedFields: every way to write leaves its mark", async () => {
    await ask("POST", `${deployments}?fieldManager=maker`, web("ways"));
    const path = `${deployments}/ways`;
    const merge = "application/merge-patch+json";
    await ask("PATCH", `${path}?fieldManager=patcher`, { spec: { paused: true } }, merge);
    const current = (await ask("GET", path, undefined)).json;
    current.metadata.labels = { by: "putter" };
    await ask("PUT", `${path}?fieldManager=putter`, current);
    const status = { status: { observedGeneration: 1 } };
    await ask("PATCH", `${path}/status?fieldManager=watcher`, status, merge);
    await ask("PATCH", `${path}/scale?fieldManager=scaler`, { spec: { replicas: 5 } }, merge);
    const { json } = await ask("GET", path, undefined);
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
    const conflict = await apply(path, "m", web("ways", { replicas: 1 }));
    expect(conflict.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
    );
  });

  test("managedFields: a Scale may be applied, and owns the replicas", async () => {
    await ask("POST", deployments, web("scaled"));
    const body = {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "scaled" },
      spec: { replicas: 4 },
    };
    const path = `${deployments}/scaled/scale`;
    const refused = await apply(path, "s", body);
    expect(refused.json).toMatchObject({ code: 409, reason: "Conflict" });
    const scaled = await apply(path, "s", body, "&force=true");
    expect(scaled.json).toMatchObject({ kind: "Scale", spec: { replicas: 4 } });
    const { json } = await ask("GET", `${deployments}/scaled`, undefined);
    expect(ownersOf(json)[0]).toMatchObject({
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
    expect(names(made)).toEqual([`${api.principal} Update`]);
  });

  test("managedFields: can be let go of, and come back when somebody applies", async () => {
    const path = `${configMaps}/reset`;
    await ask("POST", configMaps, configMap("reset", { a: "1" }));
    const merge = "application/merge-patch+json";
    const reset = await ask("PATCH", path, { metadata: { managedFields: [{}] } }, merge);
    expect(reset.code).toBe(200);
    expect(reset.json.metadata.managedFields).toBeUndefined();
    const untracked = await ask("PATCH", path, { data: { b: "2" } }, merge);
    expect(untracked.json.metadata.managedFields).toBeUndefined();
    const applied = await apply(path, "m", configMap("reset", { a: "1" }));
    expect(names(applied.json)).toEqual(["m Apply", "before-first-apply Update"]);
    expect((await apply(path, "m", configMap("reset", { a: "2" }))).json.message).toContain(
      'conflict with "before-first-apply" using v1: .data.a',
    );
  });

  test("managedFields: what a write says of them counts only when it makes sense", async () => {
    const path = `${configMaps}/said`;
    const { json } = await ask(
      "POST",
      `${configMaps}?fieldManager=m`,
      configMap("said", { a: "1" }),
    );
    const merge = "application/merge-patch+json";
    const say = (managedFields: unknown) =>
      ask("PATCH", path, { metadata: { managedFields } }, merge);
    expect(ownersOf((await say([])).json)).toEqual(ownersOf(json));
    expect(ownersOf((await say([{ manager: "x" }])).json)).toEqual(ownersOf(json));
    const [owner] = ownersOf(json);
    const said = await say([{ ...owner, manager: "n" }]);
    expect(names(said.json)).toEqual(["n Update"]);
  });

  test("managedFields: a write that changes nothing changes no time", async () => {
    const path = `${configMaps}/quiet`;
    const { json } = await ask("POST", configMaps, configMap("quiet", { a: "1" }));
    const merge = "application/merge-patch+json";
    const same = await ask("PATCH", `${path}?fieldManager=other`, { data: { a: "1" } }, merge);
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
    expect(names(client)).toEqual(["kubectl-client-side-apply Update"]);
    expect(await kubectl(["apply", "--server-side", "-f", "-"], after)).toContain(
      "serverside-applied",
    );
    const server = await api.get(Deployment, "default/moved");
    expect(server.spec).toMatchObject({ replicas: 2 });
    expect(names(server)).toContain("kubectl Apply");
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
