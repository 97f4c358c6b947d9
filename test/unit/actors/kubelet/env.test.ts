import { describe, expect, test } from "vitest";
import { computeEnv, type EnvSources, expand } from "../../../../actors/kubelet/env.ts";
import type { Container, Pod, Service } from "../../../../manifests/index.ts";
import { podWith } from "./fixtures.ts";

const service = (name: string, namespace: string, clusterIP: string): Service => ({
  metadata: { name, namespace },
  spec: { clusterIP, ports: [{ name: "http", port: 80, protocol: "TCP" }] },
});

const sources: EnvSources = {
  configMaps: new Map([
    ["settings", { metadata: { name: "settings" }, data: { COLOR: "red", size: "big" } }],
    ["absent", undefined],
  ]),
  tokens: new Map(),
  secrets: new Map([
    ["keys", { metadata: { name: "keys" }, data: { token: Buffer.from("t").toString("base64") } }],
  ]),
  services: [
    service("kubernetes", "default", "10.96.0.1"),
    service("redis-main", "default", "10.96.0.7"),
    service("elsewhere", "other", "10.96.0.8"),
    service("headless", "default", "None"),
  ],
  podIP: "10.244.0.2",
  nodeIP: "192.0.2.1",
  nodeName: "node-1",
  allocatable: { cpu: "8", memory: "16Gi" },
};

function envOf(container: Partial<Container>, pod: Pod = podWith({ enableServiceLinks: false })) {
  const env = computeEnv(pod, { name: "app", ...container }, sources);
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
}

describe("container environment", () => {
  test.each([
    ["plain", "plain"],
    ["$(A)", "1"],
    ["$(A)-$(B)", "1-2"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$(NONE)", "$(NONE)"],
    ["cost $5 $A", "cost $5 $A"],
    ["open $(A", "open $(A"],
  ])("container environment: %s expands to %s", (text, expanded) => {
    const values = new Map([
      ["A", "1"],
      ["B", "2"],
    ]);
    expect(expand(text, (name) => values.get(name))).toBe(expanded);
  });

  test("container environment: later values see earlier ones, and own ones win", () => {
    const env = envOf({
      envFrom: [
        { prefix: "P_", configMapRef: { name: "settings" } },
        { secretRef: { name: "keys" } },
      ],
      env: [
        { name: "FIRST", value: "1" },
        { name: "SECOND", value: "$(FIRST)$(P_COLOR)$(THIRD)" },
        { name: "THIRD", value: "3" },
        { name: "token", value: "own" },
      ],
    });
    expect(env).toMatchObject({
      P_COLOR: "red",
      P_size: "big",
      SECOND: "1red$(THIRD)",
      token: "own",
    });
  });

  test("container environment: fields and resources of the pod", () => {
    const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
    const resource = (name: string, divisor?: string) => ({
      valueFrom: { resourceFieldRef: { resource: name, divisor } },
    });
    const pod = podWith({ nodeName: "node-1", enableServiceLinks: false });
    pod.metadata.labels = { app: "web" };
    const env = envOf(
      {
        resources: { limits: { memory: "100Mi" }, requests: { cpu: "1500m" } },
        env: [
          { name: "NAME", ...field("metadata.name") },
          { name: "LABEL", ...field("metadata.labels['app']") },
          { name: "NODE", ...field("spec.nodeName") },
          { name: "HOST", ...field("status.hostIP") },
          { name: "IP", ...field("status.podIP") },
          { name: "MEMORY", ...resource("limits.memory") },
          { name: "MEBI", ...resource("limits.memory", "1Mi") },
          { name: "CPUS", ...resource("requests.cpu") },
          { name: "MILLI", ...resource("requests.cpu", "1m") },
          { name: "ALL_CPUS", ...resource("limits.cpu") },
        ],
      },
      pod,
    );
    expect(env).toMatchObject({
      NAME: "web",
      LABEL: "web",
      NODE: "node-1",
      HOST: "192.0.2.1",
      IP: "10.244.0.2",
      MEMORY: "104857600",
      MEBI: "100",
      CPUS: "2",
      MILLI: "1500",
      ALL_CPUS: "8",
    });
  });

  test("container environment: Services of the namespace, as Docker links had them", () => {
    const env = envOf({}, podWith());
    expect(env).toMatchObject({
      KUBERNETES_SERVICE_HOST: "10.96.0.1",
      REDIS_MAIN_SERVICE_HOST: "10.96.0.7",
      REDIS_MAIN_SERVICE_PORT: "80",
      REDIS_MAIN_SERVICE_PORT_HTTP: "80",
      REDIS_MAIN_PORT: "tcp://10.96.0.7:80",
      REDIS_MAIN_PORT_80_TCP: "tcp://10.96.0.7:80",
      REDIS_MAIN_PORT_80_TCP_PROTO: "tcp",
      REDIS_MAIN_PORT_80_TCP_PORT: "80",
      REDIS_MAIN_PORT_80_TCP_ADDR: "10.96.0.7",
    });
    expect(Object.keys(env).some((name) => /^(ELSEWHERE|HEADLESS)/.test(name))).toBe(false);
    const unlinked = envOf({}, podWith({ enableServiceLinks: false }));
    expect(Object.keys(unlinked).every((name) => name.startsWith("KUBERNETES_"))).toBe(true);
  });

  test.each([
    [{ configMapKeyRef: { name: "absent", key: "a" } }, 'configmap "absent" not found'],
    [
      { configMapKeyRef: { name: "settings", key: "a" } },
      "couldn't find key a in ConfigMap default/settings",
    ],
    [{ secretKeyRef: { name: "absent", key: "a" } }, 'secret "absent" not found'],
    [{ fieldRef: { fieldPath: "spec.containers" } }, "unsupported fieldPath: spec.containers"],
  ])("container environment: %o is refused: %s", (valueFrom, message) => {
    expect(() => envOf({ env: [{ name: "X", valueFrom }] })).toThrow(message);
  });

  test("container environment: what is optional and absent is left out", () => {
    const optional = true;
    const env = envOf({
      envFrom: [{ configMapRef: { name: "absent", optional } }],
      env: [
        { name: "X", valueFrom: { configMapKeyRef: { name: "absent", key: "a", optional } } },
        { name: "Y", valueFrom: { secretKeyRef: { name: "keys", key: "a", optional } } },
      ],
    });
    expect(env.X).toBeUndefined();
    expect(env.Y).toBeUndefined();
  });
});
