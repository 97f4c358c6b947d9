/** What is asked over real HTTPS and NATS ends up in a real JetStream stream, as far as the policy wants. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAuditPolicy } from "../../actors/apiserver/audit/policy.ts";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap } from "../../manifests/index.ts";
import type { NatsBus } from "../../runtime/nats-bus.ts";
import { askApi } from "../../runtime/store/jetstream-api.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

const policy = readAuditPolicy({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  rules: [
    { level: "None", users: ["system:wherry:api"] },
    { level: "None", nonResourceURLs: ["/apis*", "/api*", "/openapi*"] },
    { level: "RequestResponse", resources: [{ resources: ["configmaps"] }], verbs: ["create"] },
    { level: "Request", resources: [{ resources: ["secrets"] }], verbs: ["create"] },
    { level: "Metadata", omitStages: ["RequestReceived"] },
  ],
});

let api: TestHttpsApi;
let admin: Api;
let bus: NatsBus;
let events: Event[];

interface Event {
  readonly stage: string;
  readonly [field: string]: unknown;
}

beforeAll(async () => {
  api = await startHttpsApi({ audit: { policy, maxAgeMs: 3_600_000, maxBytes: 1_000_000 } });
  admin = await api.client();
  bus = await api.connect("system:wherry:api");
  events = [];
  bus.subscribe("wherry.audit.>", ({ data }) => {
    events.push(JSON.parse(new TextDecoder().decode(data)) as Event);
  });
  await bus.flush();
});
afterAll(() => api.dispose());

async function eventsOf(what: string, wanted: (event: Event) => boolean, count = 1) {
  return await waitFor(what, () => {
    const found = events.filter(wanted);
    return found.length >= count ? found : undefined;
  });
}

const named = (name: string) => (event: Event) =>
  (event.objectRef as { name?: string } | undefined)?.name === name;

const of = (resource: string) => (event: Event) =>
  (event.objectRef as { resource?: string } | undefined)?.resource === resource;

describe("audit", () => {
  test("audit: request and answer whole, at each stage, under one id", async () => {
    await api.kubectl(["create", "configmap", "whole", "--from-literal=a=b"]);
    const isOurs = ({ requestURI }: Event) => String(requestURI).includes("/configmaps?");
    const [received, complete] = await eventsOf("both stages", isOurs, 2);
    expect(received).toMatchObject({
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: "RequestResponse",
      stage: "RequestReceived",
      verb: "create",
      user: { username: "wherry-admin", groups: ["system:masters", "system:authenticated"] },
      sourceIPs: ["127.0.0.1"],
      userAgent: expect.stringContaining("kubectl"),
      objectRef: { resource: "configmaps", namespace: "default", apiVersion: "v1" },
    });
    expect(complete).toMatchObject({
      auditID: received?.auditID,
      stage: "ResponseComplete",
      responseStatus: { code: 201 },
      requestObject: { data: { a: "b" } },
      responseObject: { metadata: { name: "whole" }, data: { a: "b" } },
      annotations: { "authorization.k8s.io/decision": "allow" },
    });
  });

  test("audit: a request without its answer, and neither where only metadata is wanted", async () => {
    await api.kubectl(["create", "secret", "generic", "s", "--from-literal=a=b"]);
    const isComplete = ({ stage }: Event) => stage === "ResponseComplete";
    const [created] = await eventsOf("the secret", (it) => of("secrets")(it) && isComplete(it));
    expect(created?.requestObject).toMatchObject({ data: { a: "Yg==" } });
    expect(created?.responseObject).toBeUndefined();
    await api.kubectl(["get", "configmap", "whole"]);
    const [read] = await eventsOf("the read", (it) => named("whole")(it) && it.verb === "get");
    expect([read?.stage, read?.requestObject, read?.responseObject]).toEqual([
      "ResponseComplete",
      undefined,
      undefined,
    ]);
  });

  test("audit: who is refused, and why; whose token is not believed; who speaks as another", async () => {
    const kubeconfig = await api.kubeconfigOf({ user: "eve", groups: [] });
    await api.kubectl(["get", "configmap", "whole"], { kubeconfig, fails: true });
    const isEve = ({ user }: Event) => (user as { username: string }).username === "eve";
    const [refused] = await eventsOf("eve's", (it) => isEve(it) && named("whole")(it));
    expect(refused).toMatchObject({
      responseStatus: { code: 403, reason: "Forbidden", status: "Failure" },
      annotations: { "authorization.k8s.io/decision": "forbid" },
    });
    await api.call("/version", { authorization: "Bearer rubbish", "audit-id": "mine" });
    const [unknown] = await eventsOf("the stranger's", ({ auditID }) => auditID === "mine");
    expect(unknown).toMatchObject({
      responseStatus: { code: 401, reason: "Unauthorized" },
      requestURI: "/version",
      verb: "get",
    });
    await api.kubectl(["get", "configmap", "whole", "--as=jane"], { fails: true });
    const isAs = ({ impersonatedUser }: Event) => impersonatedUser !== undefined;
    const [spoken] = await eventsOf("jane's", isAs);
    expect(spoken).toMatchObject({
      user: { username: "wherry-admin" },
      impersonatedUser: { username: "jane", groups: ["system:authenticated"] },
    });
  });

  test("audit: by which role, and what admission has to say of it", async () => {
    await api.kubectl(["create", "serviceaccount", "default", "-n", "kube-public"]);
    await api.kubectl(["run", "told", "--image=nginx:1.22", "-n", "kube-public"]);
    const [made] = await eventsOf("the pod's", (it) => of("pods")(it) && it.verb === "create");
    expect(made?.annotations).toMatchObject({
      "authorization.k8s.io/decision": "allow",
      "authorization.k8s.io/reason": "",
      "pod-security.kubernetes.io/enforce-policy": "privileged:latest",
    });
    const kubeconfig = await api.kubeconfigOf({ user: "eve", groups: [] });
    await api.kubectl(["auth", "whoami"], { kubeconfig });
    const [asked] = await eventsOf("the review's", of("selfsubjectreviews"));
    expect(asked?.annotations).toMatchObject({
      "authorization.k8s.io/decision": "allow",
      "authorization.k8s.io/reason": expect.stringContaining("system:basic-user"),
    });
  });

  test("audit: a watch has begun long before it ends", async () => {
    const watch = ["get", "configmaps", "--watch", "--request-timeout=1s"];
    await api.kubectl(watch).catch(() => undefined);
    const isWatch = ({ verb, user }: Event) =>
      verb === "watch" && (user as { username: string }).username === "wherry-admin";
    const stages = (await eventsOf("both stages", isWatch, 2)).map(({ stage }) => stage);
    expect(stages).toEqual(["ResponseStarted", "ResponseComplete"]);
  });

  test("audit: what actors ask over NATS is told as well", async () => {
    await admin.create(ConfigMap, { metadata: { name: "by-nats", namespace: "default" } });
    const [, complete] = await eventsOf("the actor's", named("by-nats"), 2);
    expect(complete).toMatchObject({
      userAgent: "nats",
      responseStatus: { code: 201 },
      responseObject: { metadata: { name: "by-nats" } },
    });
  });

  test("audit: events are kept in a stream that ends by age and size", async () => {
    const answer = await askApi<{
      config: { max_age: number; max_bytes: number; discard: string };
      state: { messages: number };
    }>(bus, "STREAM.INFO.wherry-audit");
    expect(answer.config).toMatchObject({ max_age: 3.6e12, max_bytes: 1_000_000, discard: "old" });
    expect(answer.state.messages).toBeGreaterThanOrEqual(events.length);
  });
});

test("audit: without a policy no stream is made, and no id told", async () => {
  const plain = await startHttpsApi();
  try {
    await plain.kubectl(["get", "namespaces"]);
    const other = await plain.connect("system:wherry:api");
    await expect(askApi(other, "STREAM.INFO.wherry-audit")).rejects.toThrow("stream not found");
  } finally {
    await plain.dispose();
  }
});
