/** Server-side apply and the other patches over HTTPS, by hand. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allKinds, type KubeObject } from "../../manifests/index.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { minimalObjects } from "../harness/minimal-objects.ts";
import {
  applyPatch,
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

beforeAll(async () => {
  env = await startHttpsApi();
  rest = await restClient(env);
});

afterAll(async () => {
  rest.close();
  await env.dispose();
});

describe("apply: objects", () => {
  test("apply: creates, then changes, then leaves alone", async () => {
    const path = `${configMaps}/one`;
    const created = await rest.apply(path, "m", configMap("one", { a: "1" }));
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
    const changed = await rest.apply(path, "m", configMap("one", { b: "2" }));
    expect(changed).toMatchObject({ code: 200, json: { data: { b: "2" } } });
    expect(changed.json.data).toEqual({ b: "2" });
    const same = await rest.apply(path, "m", configMap("one", { b: "2" }));
    expect(same.json.metadata).toEqual(changed.json.metadata);
  });

  test("apply: takes YAML, and a dry run keeps nothing", async () => {
    const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dry}\ndata: {a: b}\n";
    const dry = await rest.apply(`${configMaps}/dry`, "m", yaml, "&dryRun=All");
    expect(dry).toMatchObject({ code: 201, json: { data: { a: "b" } } });
    expect((await rest.ask("GET", `${configMaps}/dry`)).code).toBe(404);
  });

  test("apply: one conflict and several read as upstream's, and force moves the fields", async () => {
    const path = `${deployments}/conflict`;
    const first = web("conflict", { replicas: 1, paused: true });
    expect((await rest.apply(path, "first", first)).code).toBe(201);
    const scaled = web("conflict", { replicas: 2 });
    const one = await rest.apply(path, "second", scaled);
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
    const image = { name: "nginx", image: "nginx:1.23", ports: [{ containerPort: 80 }] };
    const template = { spec: { containers: [image] } };
    const patched = await rest.ask(
      "PATCH",
      `${path}?fieldManager=third`,
      { spec: { template } },
      mergePatch,
    );
    expect(patched.code).toBe(200);
    const several = await rest.apply(
      path,
      "second",
      web("conflict", { replicas: 2, paused: false }),
    );
    expect(several.json.message).toBe(
      [
        'Apply failed with 3 conflicts: conflicts with "first":',
        "- .spec.paused",
        "- .spec.replicas",
        'conflicts with "third" using apps/v1:',
        '- .spec.template.spec.containers[name="nginx"].image',
      ].join("\n"),
    );
    const forced = await rest.apply(path, "second", scaled, "&force=true");
    expect(forced).toMatchObject({ code: 200, json: { spec: { replicas: 2, paused: true } } });
    // What is applied and owned by nobody else goes back to its default.
    const left = await rest.apply(path, "second", web("conflict"));
    expect(left.json.spec.replicas).toBe(1);
    expect(left.json.metadata.generation).toBe(4);
  });

  test("apply: fields with two owners stay until both let go", async () => {
    const path = `${configMaps}/shared`;
    await rest.apply(path, "a", configMap("shared", { x: "1", y: "1" }));
    await rest.apply(path, "b", configMap("shared", { x: "1" }));
    expect((await rest.apply(path, "a", configMap("shared", { y: "1" }))).json.data).toEqual({
      x: "1",
      y: "1",
    });
    expect((await rest.apply(path, "b", configMap("shared", {}))).json.data).toEqual({ y: "1" });
  });

  test("apply: many who make one object at once all get their fields in", async () => {
    const path = `${configMaps}/crowd`;
    const all = Array.from({ length: 8 }, (_, at) => `m${at}`);
    const answers = await Promise.all(
      all.map((manager) => rest.apply(path, manager, configMap("crowd", { [manager]: "1" }))),
    );
    expect(answers.map(({ code }) => code).sort()).toEqual([...Array(7).fill(200), 201]);
    const { json } = await rest.ask("GET", path);
    expect(Object.keys(json.data).sort()).toEqual(all);
    expect(ownerNames(json).sort()).toEqual(all.map((manager) => `${manager} Apply`));
  });

  test("apply: status has its own owners, and the main resource none of it", async () => {
    const path = `${deployments}/status`;
    const body = { ...web("status"), status: { replicas: 9 } };
    const made = await rest.apply(path, "m", body);
    expect(made.json.status.replicas ?? 0).toBe(0);
    const status = await rest.apply(`${path}/status`, "controller", {
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
    expect(ownerNames(status.json).sort()).toEqual(["controller Apply status", "m Apply"]);
    const [main, controller] = ["m", "controller"].map((name) =>
      ownersOf(status.json).find(({ manager }) => manager === name),
    );
    expect(controller?.fieldsV1).toEqual({ "f:status": { "f:replicas": {} } });
    expect(JSON.stringify(main)).not.toContain("f:status");
    expect((await rest.apply(`${deployments}/nobody/status`, "m", web("nobody"))).code).toBe(404);
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
    expect((await rest.apply(`/apis/autoscaling/v1${scalers}`, "a", first)).code).toBe(201);
    const second = await rest.apply(`/apis/autoscaling/v2${scalers}`, "b", {
      ...hpa("autoscaling/v2", {}),
      spec: { scaleTargetRef, maxReplicas: 4 },
    });
    expect(second.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "a": .spec.maxReplicas',
    );
  });
});

/** Namespaces have an act of their own for going, which takes a controller. */
const kinds = allKinds().filter(
  ({ verbs, kind }) => verbs.includes("patch") && kind !== "Namespace",
);

test.each(kinds.map((kind) => [`${kind.apiVersion} ${kind.kind}`, kind] as const))(
  "apply: %s is made, is left alone, and gets the fields of another",
  async (_, kind) => {
    const { apiVersion, namespaced, resource } = kind;
    const body = minimalObjects[`${kind.group}/${kind.kind}`] ?? minimalObjects[kind.kind];
    const { metadata } = body as Partial<KubeObject>;
    const name = metadata?.name ?? `applied-${kind.version}`;
    const config = { ...body, apiVersion, kind: kind.kind, metadata: { ...metadata, name } };
    const root = kind.group === "" ? "/api" : "/apis";
    const place = namespaced ? "namespaces/default/" : "";
    const path = `${root}/${apiVersion}/${place}${resource}/${name}`;
    const made = await rest.apply(path, "m", config);
    expect(made).toMatchObject({ code: 201 });
    // Defaults that look at what the API has made up meanwhile, as a Job's labels do, come now.
    const again = await rest.apply(path, "m", config);
    expect((await rest.apply(path, "m", config)).json).toEqual(again.json);
    const labels = { by: "other" };
    const labelled = { apiVersion, kind: kind.kind, metadata: { name, labels } };
    const other = await rest.apply(path, "other", labelled);
    expect(other).toMatchObject({ code: 200, json: { metadata: { labels } } });
    expect(ownerNames(other.json)).toContain("other Apply");
    await rest.ask("DELETE", path, { gracePeriodSeconds: 0 });
  },
);

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
    const answer = await rest.ask("PATCH", `${path}?${query}`, body, applyPatch);
    expect(answer.json).toMatchObject({ kind: "Status", status: "Failure", code });
    if (typeof message === "string") expect(answer.json.message).toBe(message);
    else expect(answer.json.message).toMatch(message);
    expect((await rest.ask("GET", path)).code).toBe(404);
  });

  test("apply: force is for apply alone", async () => {
    const answer = await rest.ask("PATCH", `${path}?force=true`, {}, mergePatch);
    expect(answer.json.message).toBe(
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    );
  });

  test("apply: the resourceVersion and uid that are stated must be the object's", async () => {
    const stated = `${configMaps}/stated`;
    const { json } = await rest.apply(stated, "m", configMap("stated", { a: "1" }));
    const { resourceVersion, uid } = json.metadata;
    const at = (metadata: object, a: string) =>
      rest.apply(stated, "m", configMap("stated", { a }, metadata));
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
    const strict = await rest.apply(twice, "m", body, "&fieldValidation=Strict");
    expect(strict.json.message).toBe('error strict decoding YAML: duplicate field "data.a"');
    expect((await rest.apply(twice, "m", body)).warning).toContain('duplicate field \\"data.a\\"');
  });

  test("apply: list items that cannot be told apart are refused", async () => {
    const body = web("twins");
    body.spec.template.spec.containers.push(...body.spec.template.spec.containers);
    const answer = await rest.apply(`${deployments}/twins`, "m", body);
    expect(answer).toMatchObject({ code: 400 });
    expect(answer.json.message).toContain('duplicate entries for key [name="nginx"]');
  });
});

describe("patches", () => {
  const path = `${configMaps}/patched`;
  const json = "application/json-patch+json";
  const refused = "the server rejected our request due to an error in our request";
  const cause = (message: string) => ({
    causes: [{ reason: "FieldValueInvalid", message, field: "patch" }],
  });

  beforeAll(async () => {
    await rest.ask("POST", configMaps, configMap("patched", { a: "1" }));
  });

  test.each<[string, string, unknown, object]>([
    [
      "a test that does not hold",
      json,
      [{ op: "test", path: "/data/a", value: "2" }],
      {
        code: 422,
        reason: "Invalid",
        message: refused,
        details: cause("testing value /data/a failed: test failed"),
      },
    ],
    [
      "more operations than anybody needs",
      json,
      Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/a", value: "1" })),
      {
        code: 413,
        reason: "RequestEntityTooLarge",
        message:
          "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
      },
    ],
    ["what is no JSON patch", json, {}, { code: 400, reason: "BadRequest" }],
    [
      "another name",
      mergePatch,
      { metadata: { name: "other" } },
      {
        code: 400,
        message: "the name of the object (other) does not match the name on the URL (patched)",
      },
    ],
    [
      "a resourceVersion that is not the object's",
      mergePatch,
      { metadata: { resourceVersion: "1" } },
      {
        code: 409,
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on configmaps "patched": the object has been modified; please apply your changes to the latest version and try again',
      },
    ],
    [
      "a format that nobody reads",
      "application/json",
      {},
      {
        code: 415,
        reason: "UnsupportedMediaType",
        message:
          "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml",
      },
    ],
    [
      "an order that does not match",
      "application/strategic-merge-patch+json",
      {
        metadata: {
          finalizers: ["a.b/c", "a.b/d"],
          "$setElementOrder/finalizers": ["a.b/d", "a.b/c"],
        },
      },
      { code: 400, reason: "BadRequest" },
    ],
  ])("patch: %s is refused", async (_, contentType, body, status) => {
    const answer = await rest.ask("PATCH", path, body, contentType);
    expect(answer.json).toMatchObject({ kind: "Status", status: "Failure", ...status });
  });
});
