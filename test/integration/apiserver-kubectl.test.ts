/** Stock kubectl against the HTTPS door: what people type, and what it says. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestHttpsApi;

beforeAll(async () => {
  env = await startHttpsApi();
});

afterAll(async () => {
  await env.dispose();
});

const web = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.22", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

test("kubectl: apply creates, configures, and leaves alone", async () => {
  const apply = (input: string) => env.kubectl(["apply", "-f", "-"], { input });
  expect(await apply(web(1))).toBe("deployment.apps/web created\nservice/web created\n");
  expect(await apply(web(2))).toBe("deployment.apps/web configured\nservice/web unchanged\n");
  expect(await env.kubectl(["diff", "-f", "-"], { input: web(2) })).toBe("");
});

test("kubectl: get shows tables, and describe tells all", async () => {
  const table = await env.kubectl(["get", "deployments", "web"]);
  expect(table).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 +0 +0 +\d+s\n$/);
  const services = await env.kubectl(["get", "services", "--no-headers"]);
  expect(services).toMatch(/^kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP/m);
  expect(await env.kubectl(["describe", "deployment", "web"])).toContain(
    "Replicas:               2 desired",
  );
  // The API actor joins the endpoints of its own Service once it has said that it lives.
  await waitFor("the endpoints of the API", async () => {
    const description = await env.kubectl(["describe", "service", "kubernetes"]);
    return /Endpoints: +127\.0\.0\.1:\d+/.test(description);
  });
});

test("kubectl: create speaks protobuf and is understood", async () => {
  await env.kubectl(["create", "configmap", "made", "--from-literal=a=b"]);
  await env.kubectl(["create", "deployment", "made", "--image=nginx:1.22", "--replicas=3"]);
  await env.kubectl(["create", "secret", "generic", "made", "--from-literal=password=swordfish"]);
  await env.kubectl(["create", "service", "nodeport", "made", "--tcp=80:8080"]);
  await env.kubectl(["create", "job", "made", "--image=busybox:1.35", "--", "true"]);
  const data = await env.kubectl([
    "get",
    "configmap/made",
    "secret/made",
    "-o",
    "jsonpath={.items[*].data}",
  ]);
  expect(data).toBe(`{"a":"b"} {"password":"${btoa("swordfish")}"}`);
  const port = await env.kubectl([
    "get",
    "service",
    "made",
    "-o",
    "jsonpath={.spec.ports[0].targetPort}",
  ]);
  expect(port).toBe("8080");
  const replicas = await env.kubectl([
    "get",
    "deployment",
    "made",
    "-o",
    "jsonpath={.spec.replicas}",
  ]);
  expect(replicas).toBe("3");
});

test("kubectl: scale, set image, label and patch change what they say", async () => {
  await env.kubectl(["scale", "deployment/web", "--replicas=5"]);
  await env.kubectl(["set", "image", "deployment/web", "nginx=nginx:1.23"]);
  await env.kubectl(["label", "deployment/web", "tier=front"]);
  const operations = '[{"op":"add","path":"/metadata/annotations/by","value":"hand"}]';
  await env.kubectl(["patch", "deployment/web", "--type=json", "-p", operations]);
  const shown = "{.spec.replicas} {..image} {.metadata.labels.tier} {.metadata.annotations.by}";
  const now = await env.kubectl(["get", "deployment/web", "-o", `jsonpath=${shown}`]);
  expect(now).toBe("5 nginx:1.23 front hand");
});

test("kubectl: edit sends back what the editor made of it", async () => {
  const edit = ["edit", "deployment/web"];
  await env.kubectl(edit, { env: { KUBE_EDITOR: "sed -i s/replicas:.5/replicas:\\ 4/" } });
  const replicas = await env.kubectl(["get", "deployment/web", "-o", "jsonpath={.spec.replicas}"]);
  expect(replicas).toBe("4");
});

test("kubectl: mistakes are told before anything is done, field by field", async () => {
  const create = (object: object) =>
    env.kubectl(["create", "-f", "-"], { input: JSON.stringify(object), fails: true });
  const unknown = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, foo: 1 };
  expect(await create(unknown)).toContain('unknown field "foo"');
  const wrong = { apiVersion: "v1", kind: "Pod", metadata: { name: "x" }, spec: { containers: 5 } };
  expect(await create(wrong)).toContain("containers");
  const empty = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "x" },
    spec: { containers: [] },
  };
  expect(await create(empty)).toContain("spec.containers: Required value");
  const badName = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "No_Name" } };
  expect(await create(badName)).toContain("metadata.name: Invalid value");
});

test("kubectl: a dry run on the server writes nothing", async () => {
  const dry = ["create", "configmap", "dry", "--dry-run=server", "-o", "name"];
  expect(await env.kubectl(dry)).toBe("configmap/dry\n");
  expect(await env.kubectl(["get", "configmap", "dry"], { fails: true })).toContain("NotFound");
});

test("kubectl: explain and api-resources know the kinds", async () => {
  expect(await env.kubectl(["explain", "pod.spec.containers"])).toContain(
    "FIELD: containers <[]Container>",
  );
  const resources = await env.kubectl(["api-resources", "-o", "wide", "--no-headers"]);
  expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment/m);
});

test("kubectl: wait sees a change that comes while it waits", async () => {
  const waiting = env.kubectl([
    "wait",
    "--for=jsonpath={.spec.replicas}=6",
    "deployment/web",
    "--timeout=20s",
  ]);
  await env.kubectl(["scale", "deployment/web", "--replicas=6"]);
  expect(await waiting).toContain("condition met");
});

test("kubectl: who may not is told so", async () => {
  const kubeconfig = await env.kubeconfigOf({ user: "bob", groups: [] });
  expect(await env.kubectl(["get", "pods"], { kubeconfig, fails: true })).toContain(
    'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  expect(await env.kubectl(["auth", "can-i", "create", "pods"])).toBe("yes\n");
  expect(await env.kubectl(["auth", "whoami"])).toContain("wherry-admin");
});

test("kubectl: delete takes away, and waits until it is gone", async () => {
  expect(await env.kubectl(["delete", "deployment,service", "web"])).toContain("deleted");
  expect(await env.kubectl(["get", "deployment", "web"], { fails: true })).toContain(
    'deployments.apps "web" not found',
  );
});

test("kubectl: admission's warnings and refusals are shown as upstream's", async () => {
  await env.kubectl(["create", "namespace", "strict"]);
  await env.kubectl(["create", "serviceaccount", "default", "-n", "strict"]);
  const levels = ["enforce=baseline", "warn=restricted"].map(
    (level) => `pod-security.kubernetes.io/${level}`,
  );
  await env.kubectl(["label", "namespace", "strict", ...levels]);
  const run = ["run", "web", "--image=nginx:1.22", "-n", "strict"];
  const shared = `--overrides={"spec":{"hostNetwork":true}}`;
  await expect(env.kubectl([...run, shared])).rejects.toThrow(
    'Error from server (Forbidden): pods "web" is forbidden: violates PodSecurity ' +
      '"baseline:latest": host namespaces (hostNetwork=true)',
  );
  expect(await env.kubectl(run)).toMatch(
    /^pod\/web created\nWarning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false /,
  );
  await env.kubectl(["create", "quota", "q", "--hard=pods=2", "-n", "strict"]);
  const patch = JSON.stringify({ status: { hard: { pods: "2" }, used: { pods: "2" } } });
  await env.kubectl([
    ...["patch", "quota", "q", "-n", "strict", "--type=merge", "--subresource=status"],
    ...["-p", patch],
  ]);
  await expect(env.kubectl(["run", "more", "--image=nginx:1.22", "-n", "strict"])).rejects.toThrow(
    'Error from server (Forbidden): pods "more" is forbidden: exceeded quota: q, ' +
      "requested: pods=1, used: pods=2, limited: pods=2",
  );
});
