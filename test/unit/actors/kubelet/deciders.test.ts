/** The smaller deciders of the kubelet. */

import { describe, expect, test } from "vitest";
import { Backoff, formatDelay } from "../../../../actors/kubelet/backoff.ts";
import { computeContainerConfig } from "../../../../actors/kubelet/container-config.ts";
import { addressAt, parseNetwork4 } from "../../../../actors/kubelet/engines/addresses.ts";
import { isImageName } from "../../../../actors/kubelet/images.ts";
import { hostsFile, podDns, podHostname } from "../../../../actors/kubelet/pod-network.ts";
import { parseResolvConf } from "../../../../actors/kubelet/real-machine.ts";
import { unsupportedFields } from "../../../../actors/kubelet/unsupported.ts";
import { planVolume } from "../../../../actors/kubelet/volumes/plan.ts";
import type { Container, Pod } from "../../../../manifests/index.ts";
import { podWith } from "./fixtures.ts";

describe("back-off", () => {
  test("back-off: doubles up to the longest, counted from the trouble", () => {
    const backoff = new Backoff(10_000, 300_000);
    expect(backoff.remaining("a", 0, 0)).toEqual({ delayMs: 0, leftMs: 0 });
    const delays: number[] = [];
    for (let tries = 0, now = 0; tries < 8; tries++, now += 1_000) {
      backoff.next("a", now);
      delays.push(backoff.remaining("a", now, now).leftMs / 1_000);
    }
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
    expect(backoff.remaining("b", 0, 0).leftMs).toBe(0);
  });

  test("back-off: is forgotten after ten quiet minutes", () => {
    const backoff = new Backoff(10_000, 300_000);
    backoff.next("a", 0);
    backoff.next("a", 0);
    backoff.next("a", 600_001);
    expect(backoff.remaining("a", 600_001, 600_001).delayMs).toBe(10_000);
  });

  test("back-off: is told as Go prints durations", () => {
    expect([10_000, 80_000, 300_000].map(formatDelay)).toEqual(["10s", "1m20s", "5m0s"]);
  });
});

describe("image names", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  test.each([
    "nginx",
    "nginx:1.22",
    "library/nginx",
    "registry.example.com/team/app:v1.0_x-2",
    "localhost/app",
    "localhost:5000/a/b/c:latest",
    "127.0.0.1:5000/app",
    "[::1]:5000/app",
    `nginx@${digest}`,
    `nginx:1.22@${digest}`,
    "a__b/c--d/e.f",
  ])("image names: %s is one", (name) => expect(isImageName(name)).toBe(true));

  test.each([
    "",
    "Nginx",
    "a b",
    "nginx:",
    "nginx:-x",
    "nginx@sha256:abc",
    "/nginx",
    "nginx/",
    "a//b",
    "-nginx",
    "a..b",
    `nginx:${"x".repeat(129)}`,
  ])("image names: '%s' is none", (name) => expect(isImageName(name)).toBe(false));
});

describe("pod network", () => {
  const cluster = { server: "10.96.0.10", domain: "cluster.local" };
  const host = { servers: ["192.0.2.53"], searches: ["example.com"], options: ["edns0"] };
  const clusterFirst = {
    servers: ["10.96.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"],
    options: ["ndots:5"],
  };

  test.each([
    [{}, clusterFirst],
    [{ dnsPolicy: "ClusterFirst", hostNetwork: true }, host],
    [{ dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true }, clusterFirst],
    [{ dnsPolicy: "Default" }, host],
    [
      { dnsPolicy: "None", dnsConfig: { nameservers: ["1.2.3.4"], searches: ["s"] } },
      { servers: ["1.2.3.4"], searches: ["s"], options: [] },
    ],
    [
      { dnsConfig: { options: [{ name: "ndots", value: "2" }, { name: "edns0" }] } },
      { ...clusterFirst, options: ["ndots:2", "edns0"] },
    ],
  ] as [Partial<Pod["spec"]>, typeof host][])("pod network: dns of %o", (spec, dns) => {
    expect(podDns(podWith(spec), cluster, host)).toEqual(dns);
  });

  test("pod network: without cluster DNS pods use the machine's", () => {
    expect(podDns(podWith(), undefined, host)).toEqual(host);
  });

  test("pod network: hostname and hosts file", () => {
    const pod = podWith({
      subdomain: "db",
      hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }],
    });
    const lines = hostsFile(pod, "10.244.0.2", "cluster.local").split("\n");
    expect(lines).toContain("10.244.0.2\tweb.db.default.svc.cluster.local\tweb");
    expect(lines).toContain("1.2.3.4\ta\tb");
    expect(podHostname(podWith({ hostname: "own" }))).toBe("own");
    const long = podWith();
    long.metadata.name = `${"a".repeat(62)}-${"b".repeat(30)}`;
    expect(podHostname(long)).toBe("a".repeat(62));
  });

  test("pod network: a resolv.conf is read as libc reads it", () => {
    const text = "# c\nsearch a b\nnameserver 1.1.1.1\nnameserver ::1\noptions ndots:1 edns0\n";
    expect(parseResolvConf(text)).toEqual({
      servers: ["1.1.1.1", "::1"],
      searches: ["a", "b"],
      options: ["ndots:1", "edns0"],
    });
  });

  test("pod network: addresses of a network", () => {
    expect(addressAt(parseNetwork4("10.244.255.77/24"), 2)).toBe("10.244.255.2");
    expect(addressAt(parseNetwork4("10.0.0.0/8"), 65_536 + 258)).toBe("10.1.1.2");
    expect(() => parseNetwork4("10.0.0.300/8")).toThrow("is not an IPv4 network");
  });
});

describe("unsupported fields", () => {
  const app = (more: Partial<Container>): Partial<Pod["spec"]> => ({
    containers: [{ name: "app", ...more }],
  });

  test.each([
    [{ hostPID: true }, ["spec.hostPID"]],
    [{ automountServiceAccountToken: false }, []],
    [{ automountServiceAccountToken: true }, []],
    [{ volumes: [{ name: "v", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }] }, []],
    [
      { volumes: [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }] },
      ["spec.volumes[v].emptyDir.sizeLimit"],
    ],
    [
      app({ resources: { limits: { cpu: "1", "ephemeral-storage": "1Gi" } } }),
      ["spec.containers[app].resources.limits.ephemeral-storage"],
    ],
    [{ volumes: [{ name: "v", nfs: { server: "s", path: "/" } }] }, ["spec.volumes[v].nfs"]],
    [
      { volumes: [{ name: "v", emptyDir: { medium: "HugePages" } }] },
      ["spec.volumes[v].emptyDir.medium"],
    ],
    [
      { initContainers: [{ name: "i", restartPolicy: "Always" }] },
      ["spec.initContainers[i].restartPolicy"],
    ],
    [app({ lifecycle: { preStop: {} } }), ["spec.containers[app].lifecycle.preStop"]],
    [app({ ports: [{ containerPort: 1, hostPort: 1 }] }), ["spec.containers[app].ports.hostPort"]],
    [{ ...app({ ports: [{ containerPort: 1, hostPort: 1 }] }), hostNetwork: true }, []],
    [app({ livenessProbe: { grpc: { port: 1 } } }), ["spec.containers[app].livenessProbe.grpc"]],
    [{ securityContext: { seccompProfile: { type: "RuntimeDefault" } } }, []],
    [{ securityContext: { fsGroup: 0 } }, ["spec.securityContext.fsGroup"]],
    [{ tolerations: [{ operator: "Exists" }], serviceAccountName: "default" }, []],
  ] as [Partial<Pod["spec"]>, string[]][])("unsupported fields: %o", (spec, fields) => {
    expect(unsupportedFields(podWith(spec))).toEqual(fields);
  });
});

describe("container config", () => {
  const input = {
    attempt: 0,
    env: [{ name: "A", value: "1" }],
    volumes: new Map([["v", { hostPath: "/pods/v", readOnly: false }]]),
    mounts: [],
    allocatable: { memory: "1000" },
  };
  const configOf = (more: Partial<Container>, spec: Partial<Pod["spec"]> = {}) => {
    const container = { name: "app", image: "busybox:1.35", ...more };
    return computeContainerConfig(podWith({ containers: [container], ...spec }), container, input);
  };

  test("container config: command and arguments are expanded", () => {
    const { command, args } = configOf({ command: ["echo", "$(A)"], args: ["$$(A)", "$(B)"] });
    expect({ command, args }).toEqual({ command: ["echo", "1"], args: ["$(A)", "$(B)"] });
  });

  test.each([
    [{}, { cpuShares: 2, oomScoreAdj: 1000 }],
    [
      { limits: { cpu: "500m", memory: "64Mi" }, requests: { cpu: "500m", memory: "64Mi" } },
      { cpuShares: 512, cpuQuota: 50_000, memoryLimitBytes: 67_108_864, oomScoreAdj: -997 },
    ],
    [{ requests: { cpu: "2", memory: "250" } }, { cpuShares: 2048, oomScoreAdj: 750 }],
  ])("container config: resources %o", (resources, expected) => {
    expect(configOf({ resources }).resources).toEqual(expected);
  });

  test("container config: mounts stay inside their volume", () => {
    const mount = (subPath: string) => ({
      volumeMounts: [{ name: "v", mountPath: "/m", subPath, readOnly: true }],
    });
    expect(configOf(mount("a/b")).mounts).toEqual([
      { hostPath: "/pods/v/a/b", containerPath: "/m", readOnly: true },
    ]);
    expect(() => configOf(mount("../etc"))).toThrow("must stay inside the volume");
    expect(() => configOf(mount("/etc"))).toThrow("must stay inside the volume");
    expect(() => configOf({ volumeMounts: [{ name: "x", mountPath: "/m" }] })).toThrow('"x"');
  });

  test("container config: the user is the container's, else the pod's", () => {
    const pod = { securityContext: { runAsUser: 1, runAsGroup: 2 } };
    expect(configOf({}, pod).security.user).toBe("1:2");
    expect(configOf({ securityContext: { runAsUser: 3 } }, pod).security.user).toBe("3:2");
    expect(() => configOf({ securityContext: { runAsNonRoot: true, runAsUser: 0 } })).toThrow(
      "breaks non-root policy",
    );
  });
});

describe("volume plan", () => {
  const sources = {
    configMaps: new Map([
      ["m", { metadata: { name: "m" }, data: { a: "1", b: "2" }, binaryData: { c: "/wA=" } }],
    ]),
    tokens: new Map(),
    secrets: new Map(),
    services: [],
    podIP: "",
    nodeIP: "",
    nodeName: "",
    allocatable: {},
  };
  const filesOf = (volume: object) => {
    const plan = planVolume(podWith(), { name: "v", ...volume }, sources);
    if (plan.type !== "files") throw new Error("not files");
    return plan.files.map(({ path, data, mode }) => [
      path,
      Buffer.from(data).toString("hex"),
      mode,
    ]);
  };

  test("volume plan: all keys of a ConfigMap, or those that are asked for", () => {
    expect(filesOf({ configMap: { name: "m" } })).toEqual([
      ["a", "31", 0o644],
      ["b", "32", 0o644],
      ["c", "ff00", 0o644],
    ]);
    const items = [{ key: "b", path: "deep/b", mode: 0o600 }];
    expect(filesOf({ configMap: { name: "m", items } })).toEqual([["deep/b", "32", 0o600]]);
  });

  test("volume plan: what is missing is named, unless it is optional", () => {
    expect(() => filesOf({ secret: { secretName: "x" } })).toThrow('secret "x" not found');
    expect(filesOf({ secret: { secretName: "x", optional: true } })).toEqual([]);
    const items = [{ key: "z", path: "z" }];
    const wrong = () => filesOf({ configMap: { name: "m", items } });
    expect(wrong).toThrow("references non-existent config key: z");
    const outside = [{ key: "a", path: "../a" }];
    expect(() => filesOf({ configMap: { name: "m", items: outside } })).toThrow(
      "inside the volume",
    );
  });

  test("volume plan: several sources are projected into one", () => {
    const fields = [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }];
    const projected = {
      defaultMode: 0o400,
      sources: [
        { configMap: { name: "m", items: [{ key: "a", path: "a" }] } },
        { downwardAPI: { items: fields } },
      ],
    };
    expect(filesOf({ projected })).toEqual([
      ["a", "31", 0o400],
      ["name", "776562", 0o400],
    ]);
  });
});
