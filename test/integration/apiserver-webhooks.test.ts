/** Webhooks as their owners write them, against a real HTTPS server on loopback. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { createWebhookDialer } from "../../deploy/webhook-dialer.ts";
import {
  ConfigMap,
  EndpointSlice,
  encodeStored,
  HorizontalPodAutoscaler,
  LimitRange,
  MutatingWebhookConfiguration,
  Namespace,
  Pod,
  Service,
  ValidatingWebhookConfiguration,
} from "../../manifests/index.ts";
import { objectKey } from "../../runtime/store/key.ts";
import { refusal, startApi, type TestApi } from "../harness/api.ts";
import { jsonPatch, startWebhook, type TestWebhook } from "../harness/webhook.ts";

let env: TestApi;
let api: Api;
let hook: TestWebhook;

beforeAll(async () => {
  env = await startApi({ admission: { dialer: createWebhookDialer() } });
  api = await env.client();
  hook = await startWebhook(["127.0.0.1", "hook.default.svc"]);
});

afterAll(async () => {
  await hook.close();
  await env.dispose();
});

afterEach(async () => {
  for (const kind of [MutatingWebhookConfiguration, ValidatingWebhookConfiguration]) {
    for (const { metadata } of (await api.list(kind)).items) await api.delete(kind, metadata.name);
  }
  hook.answers.clear();
  hook.asked.length = 0;
});

const configMaps = {
  operations: ["CREATE", "UPDATE", "DELETE"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["configmaps"],
};

function webhook(path: string, more: object = {}) {
  return {
    name: `${path.slice(1)}.example.com`,
    clientConfig: { url: hook.url + path, caBundle: hook.caBundle },
    rules: [configMaps],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  };
}

async function validateBy(...webhooks: object[]): Promise<void> {
  const object = { metadata: { name: "validating" }, webhooks };
  await api.create(ValidatingWebhookConfiguration, object as ValidatingWebhookConfiguration);
}

async function mutateBy(...webhooks: object[]): Promise<void> {
  const object = { metadata: { name: "mutating" }, webhooks };
  await api.create(MutatingWebhookConfiguration, object as MutatingWebhookConfiguration);
}

let names = 0;
function map(labels?: Record<string, string>): ConfigMap {
  return { metadata: { namespace: "default", name: `map-${++names}`, labels } };
}

function label(key: string, value: string) {
  return jsonPatch([{ op: "add", path: `/metadata/labels/${key}`, value }]);
}

test("webhooks: a mutating one is told who asks for what, and its patch is kept", async () => {
  hook.answers.set("/label", () => label("touched", "yes"));
  await mutateBy(webhook("/label"));
  const made = await api.create(ConfigMap, map({ app: "web" }));
  expect(made.metadata.labels).toEqual({ app: "web", touched: "yes" });
  expect(hook.asked[0]?.review).toMatchObject({
    operation: "CREATE",
    namespace: "default",
    name: made.metadata.name,
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    userInfo: { username: "wherry-admin" },
    object: { apiVersion: "v1", kind: "ConfigMap", metadata: { labels: { app: "web" } } },
    oldObject: null,
    dryRun: false,
    options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
  });
});

test("webhooks: a refusal keeps the webhook's message, code and reason", async () => {
  hook.answers.set("/no", () => ({
    allowed: false,
    status: { message: "not on Fridays", reason: "Forbidden", code: 403 },
  }));
  hook.answers.set("/silent", () => ({ allowed: false }));
  await validateBy(webhook("/no"));
  const said = await refusal(api.create(ConfigMap, map()));
  expect(said.status).toMatchObject({
    code: 403,
    reason: "Forbidden",
    message: 'admission webhook "no.example.com" denied the request: not on Fridays',
  });
  await api.delete(ValidatingWebhookConfiguration, "validating");
  await validateBy(webhook("/silent"));
  const silent = await refusal(api.create(ConfigMap, map()));
  expect(silent.status).toMatchObject({
    code: 400,
    message: 'admission webhook "silent.example.com" denied the request without explanation',
  });
});

test("webhooks: a deletion can be refused, by the object that would go", async () => {
  const kept = await api.create(ConfigMap, map());
  hook.answers.set("/keep", ({ operation }) => ({ allowed: operation !== "DELETE" }));
  await validateBy(webhook("/keep"));
  const key = `default/${kept.metadata.name}`;
  expect((await refusal(api.delete(ConfigMap, key))).message).toContain(
    '"keep.example.com" denied',
  );
  expect(hook.asked.at(-1)?.review).toMatchObject({
    object: null,
    oldObject: { metadata: { name: kept.metadata.name } },
  });
});

test("webhooks: selectors and conditions choose; what does not match is not asked about", async () => {
  hook.answers.set("/never", () => ({ allowed: false }));
  await api.create(Namespace, { metadata: { name: "free", labels: { free: "yes" } }, spec: {} });
  await validateBy(
    webhook("/never", {
      objectSelector: { matchLabels: { app: "web" } },
      namespaceSelector: { matchExpressions: [{ key: "free", operator: "DoesNotExist" }] },
      matchConditions: [
        { name: "not-exempt", expression: "!has(object.metadata.annotations)" },
        {
          name: "may-not",
          expression: 'authorizer.group("").resource("pods").check("get").allowed()',
        },
      ],
    }),
  );
  await api.create(ConfigMap, map({ app: "db" }));
  const free = map({ app: "web" });
  await api.create(ConfigMap, { ...free, metadata: { ...free.metadata, namespace: "free" } });
  const noted = map({ app: "web" });
  await api.create(ConfigMap, {
    ...noted,
    metadata: { ...noted.metadata, annotations: { a: "b" } },
  });
  expect(hook.asked).toEqual([]);
  await refusal(api.create(ConfigMap, map({ app: "web" })));
  expect(hook.asked).toHaveLength(1);
});

test("webhooks: one that cannot be reached refuses, or is passed over, by its failure policy", async () => {
  const away = { clientConfig: { url: "https://127.0.0.1:1/", caBundle: hook.caBundle } };
  await validateBy(webhook("/away", { ...away, failurePolicy: "Ignore" }));
  await api.create(ConfigMap, map());
  await api.delete(ValidatingWebhookConfiguration, "validating");
  await validateBy(webhook("/away", { ...away, failurePolicy: "Fail" }));
  const { status } = await refusal(api.create(ConfigMap, map()));
  expect(status.code).toBe(500);
  expect(status.message).toMatch(
    /^Internal error occurred: failed calling webhook "away.example.com": failed to call webhook: Post "https:\/\/127.0.0.1:1\/\?timeout=10s": /,
  );
});

test("webhooks: one that never answers is given up at its time-out", async () => {
  hook.answers.set("/slow", () => undefined);
  await validateBy(webhook("/slow", { timeoutSeconds: 1 }));
  const { message } = await refusal(api.create(ConfigMap, map()));
  expect(message).toContain("context deadline exceeded");
});

test("webhooks: a certificate of another authority is not believed", async () => {
  const stranger = await startWebhook();
  stranger.answers.set("/", () => ({ allowed: true }));
  const clientConfig = { url: `${stranger.url}/`, caBundle: hook.caBundle };
  await validateBy(webhook("/stranger", { clientConfig }));
  expect((await refusal(api.create(ConfigMap, map()))).message).toContain("failed to call webhook");
  expect(stranger.asked).toEqual([]);
  await stranger.close();
});

test("webhooks: an answer to another question is no answer", async () => {
  hook.answers.set("/odd", () => ({ uid: "another", allowed: true }));
  await validateBy(webhook("/odd"));
  expect((await refusal(api.create(ConfigMap, map()))).message).toContain(
    "received invalid webhook response: expected response.uid=",
  );
});

test("webhooks: an earlier one is asked again when a later one changed what it saw", async () => {
  hook.answers.set("/first", ({ object }) =>
    label("seen", object?.metadata.labels?.extra ?? "none"),
  );
  hook.answers.set("/second", () => label("extra", "added"));
  await mutateBy(webhook("/first", { reinvocationPolicy: "IfNeeded" }), webhook("/second"));
  const made = await api.create(ConfigMap, map({ app: "web" }));
  expect(made.metadata.labels).toEqual({ app: "web", extra: "added", seen: "added" });
  expect(hook.asked.map(({ path }) => path)).toEqual(["/first", "/second", "/first"]);
});

test("webhooks: validating ones are asked at the same time", async () => {
  let arrived = 0;
  let everybody: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    everybody = resolve;
  });
  const together = async () => {
    if (++arrived === 3) everybody();
    await all;
    return { allowed: true };
  };
  const paths = ["/a", "/b", "/c"];
  for (const path of paths) hook.answers.set(path, together);
  await validateBy(...paths.map((path) => webhook(path, { timeoutSeconds: 5 })));
  await api.create(ConfigMap, map());
  expect(arrived).toBe(3);
});

/** Past validation, which lets no Service lead to a loopback address; our webhook has no other. */
async function storeSlice(slice: EndpointSlice): Promise<void> {
  const { group, resource, apiVersion, kind } = EndpointSlice;
  const { namespace = "", name = "" } = slice.metadata;
  const value = new TextEncoder().encode(encodeStored({ apiVersion, kind, ...slice }));
  const key = objectKey({ group, resource, namespace, name });
  await env.stores.objects.commit([{ key, value, expected: 0 }]);
}

test("webhooks: a Service is resolved to an endpoint, under the Service's own name", async () => {
  await api.create(Service, {
    metadata: { namespace: "default", name: "hook" },
    spec: { ports: [{ name: "https", port: 443 }], selector: { app: "hook" } },
  });
  hook.answers.set("/service", () => ({ allowed: false, status: { message: "reached" } }));
  const service = { namespace: "default", name: "hook", path: "/service" };
  await validateBy(webhook("/service", { clientConfig: { service, caBundle: hook.caBundle } }));
  expect((await refusal(api.create(ConfigMap, map()))).message).toContain(
    'failed to call webhook: no endpoints available for service "hook"',
  );
  await storeSlice({
    metadata: {
      namespace: "default",
      name: "hook",
      labels: { "kubernetes.io/service-name": "hook" },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "https", port: hook.port, protocol: "TCP" }],
  });
  expect((await refusal(api.create(ConfigMap, map()))).message).toBe(
    'admission webhook "service.example.com" denied the request: reached',
  );
});

test("webhooks: one that knows another version of an object is shown that one", async () => {
  hook.answers.set("/v1", () => ({ allowed: false }));
  const rule = {
    apiGroups: ["autoscaling"],
    apiVersions: ["v1"],
    operations: ["CREATE"],
    resources: ["horizontalpodautoscalers"],
  };
  const scaled = { kind: "Deployment", name: "web", apiVersion: "apps/v1" };
  const scaler = (name: string): HorizontalPodAutoscaler => ({
    metadata: { namespace: "default", name },
    spec: { maxReplicas: 3, scaleTargetRef: scaled },
  });
  await validateBy(webhook("/v1", { rules: [rule], matchPolicy: "Exact" }));
  await api.create(HorizontalPodAutoscaler, scaler("a"));
  expect(hook.asked).toEqual([]);
  await api.delete(ValidatingWebhookConfiguration, "validating");
  await validateBy(webhook("/v1", { rules: [rule], matchPolicy: "Equivalent" }));
  await refusal(api.create(HorizontalPodAutoscaler, scaler("b")));
  expect(hook.asked[0]?.review).toMatchObject({
    kind: { version: "v1" },
    resource: { version: "v1" },
    requestResource: { version: "v2" },
    object: { apiVersion: "autoscaling/v1", spec: { maxReplicas: 3 } },
  });
});

test("webhooks: what one adds meets the plugins that came before it", async () => {
  await api.create(LimitRange, {
    metadata: { namespace: "default", name: "limits" },
    spec: { limits: [{ type: "Container", default: { cpu: "100m" } }] },
  });
  const sidecar = { name: "sidecar", image: "busybox:1.35" };
  hook.answers.set("/inject", () =>
    jsonPatch([{ op: "add", path: "/spec/containers/-", value: sidecar }]),
  );
  const rules = [{ ...configMaps, resources: ["pods"], operations: ["CREATE"] }];
  await mutateBy(webhook("/inject", { rules }));
  const made = await api.create(Pod, {
    metadata: { namespace: "default", name: "web" },
    spec: { containers: [{ name: "main", image: "nginx:1.22" }] },
  });
  const limits = made.spec.containers.map(({ name, resources }) => [name, resources?.limits?.cpu]);
  expect(limits).toEqual([
    ["main", "100m"],
    ["sidecar", "100m"],
  ]);
});
