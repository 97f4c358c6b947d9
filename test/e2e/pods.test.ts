/** What a Pod is: one address for all its containers, true phases and reasons, volumes, probes. */
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster();
});

afterAll(() => cluster?.purge());

const pod = (name: string): Promise<Json> => cluster.json("get", "pod", name);

/** A pod of busybox containers, each a shell script; `spec` is added as it stands. */
async function applyPod(name: string, scripts: Record<string, string>, spec: object = {}) {
  const containers = Object.entries(scripts).map(([container, script]) => ({
    name: container,
    image: "busybox:1.35",
    command: ["sh", "-c", script],
  }));
  await cluster.apply(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: { terminationGracePeriodSeconds: 1, containers, ...spec },
    }),
  );
}

/** Waits until the pod looks as wanted, and shows what it looked like when it never does. */
async function eventually(name: string, wanted: (pod: Json) => boolean): Promise<Json> {
  let last: Json;
  try {
    return await waitFor(`pod ${name}`, async () => {
      last = await pod(name);
      return wanted(last) ? last : undefined;
    });
  } catch (error) {
    throw new Error(`pod ${name} never did: ${JSON.stringify(last?.status)}`, { cause: error });
  }
}

const container = (of: Json, index = 0): Json => of.status.containerStatuses?.[index] ?? {};
const phase = (wanted: string) => (of: Json) => of.status.phase === wanted;
const logs = (name: string, ...args: string[]) => cluster.kubectl("logs", name, ...args);

describe.concurrent("a pod", () => {
  it("has one address for all its containers, which talk over localhost", async () => {
    const serve = "mkdir /www; echo from-server > /www/index.html; httpd -f -p 8080 -h /www";
    const ask =
      "until timeout 2 wget -q -O - http://127.0.0.1:8080/; do usleep 100000; done; hostname -i";
    await applyPod("neighbours", { server: serve, client: `${ask}; sleep 600` });
    const { status } = await eventually("neighbours", (it) => container(it, 1).ready);
    await waitFor("the page", async () => {
      const text = await logs("neighbours", "-c", "client");
      return text.includes("from-server") && text.includes(status.podIP);
    });
  });

  it("cannot have the same port twice", async () => {
    const serve = "httpd -f -p 8080";
    await applyPod("twice", { first: serve, second: serve }, { restartPolicy: "Never" });
    const failed = await eventually("twice", (it) =>
      it.status.containerStatuses?.some((one: Json) => one.state.terminated),
    );
    const loser = failed.status.containerStatuses.find((one: Json) => one.state.terminated);
    expect(loser.state.terminated.exitCode).not.toBe(0);
    expect(await logs("twice", "-c", loser.name)).toMatch(/address (already )?in use/i);
  });

  it("succeeds when all its containers end well, and fails when one does not", async () => {
    await applyPod("well", { a: "exit 0", b: "exit 0" }, { restartPolicy: "Never" });
    await applyPod("badly", { a: "exit 0", b: "exit 7" }, { restartPolicy: "Never" });
    await eventually("well", phase("Succeeded"));
    const failed = await eventually("badly", phase("Failed"));
    expect(container(failed, 1).state.terminated).toMatchObject({ exitCode: 7, reason: "Error" });
    expect(await cluster.kubectl("get", "pod", "well")).toMatch(/0\/2\s+Completed/);
  });

  it("is tried again on failure until it succeeds", async () => {
    const script = "test -e /data/tried || { touch /data/tried; exit 1; }";
    const spec = {
      restartPolicy: "OnFailure",
      volumes: [{ name: "data", emptyDir: {} }],
      containers: [
        {
          name: "main",
          image: "busybox:1.35",
          command: ["sh", "-c", script],
          volumeMounts: [{ name: "data", mountPath: "/data" }],
        },
      ],
    };
    await applyPod("again", {}, spec);
    const done = await eventually("again", phase("Succeeded"));
    expect(container(done).restartCount).toBe(1);
  });

  it("backs off when it crashes again and again", async () => {
    await applyPod("crashing", { main: "echo dying; exit 1" });
    const waiting = await eventually(
      "crashing",
      (it) => container(it).state?.waiting?.reason === "CrashLoopBackOff",
    );
    expect(waiting.status.phase).toBe("Running");
    expect(container(waiting).lastState.terminated).toMatchObject({ exitCode: 1, reason: "Error" });
    expect(container(waiting).state.waiting.message).toMatch(
      /^back-off \d+m?\d*s restarting failed/,
    );
    expect(await logs("crashing", "--previous")).toBe("dying\n");
  });

  it("tells that its image cannot be pulled, and keeps trying", async () => {
    const image = "127.0.0.1:1/nobody/nothing:1";
    await applyPod("imageless", {}, { containers: [{ name: "main", image }] });
    await eventually("imageless", (it) => container(it).state?.waiting?.reason === "ErrImagePull");
    const waiting = await eventually(
      "imageless",
      (it) => container(it).state?.waiting?.reason === "ImagePullBackOff",
    );
    expect(container(waiting).state.waiting.message).toContain(`Back-off pulling image "${image}"`);
    expect(waiting.status.phase).toBe("Pending");
  });

  it("tells that its command does not exist", async () => {
    const containers = [{ name: "main", image: "busybox:1.35", command: ["/no/such/program"] }];
    await applyPod("commandless", {}, { restartPolicy: "Never", containers });
    const failed = await eventually("commandless", phase("Failed"));
    expect(container(failed).state.terminated.message).toContain("/no/such/program");
    expect(container(failed).state.terminated.exitCode).toBeGreaterThanOrEqual(126);
  });

  it("is told to have run out of memory", async () => {
    const containers = [
      {
        name: "main",
        image: "busybox:1.35",
        command: ["tail", "/dev/zero"],
        resources: { limits: { memory: "32Mi" } },
      },
    ];
    await applyPod("hungry", {}, { restartPolicy: "Never", containers });
    const failed = await eventually("hungry", phase("Failed"));
    expect(container(failed).state.terminated).toMatchObject({
      reason: "OOMKilled",
      exitCode: 137,
    });
  });

  it("gets its environment and files from everywhere", async () => {
    await cluster.kubectl("create", "configmap", "settings", "--from-literal=colour=blue");
    await cluster.kubectl("create", "secret", "generic", "keys", "--from-literal=pin=1234");
    const script = [
      'echo "$COLOUR $PIN $NAME $GREETING"',
      "cat /settings/colour /keys/pin /host/hostname",
      "stat -c %a /keys/..data/pin",
      "sleep 600",
    ].join("; ");
    const spec = {
      volumes: [
        { name: "settings", configMap: { name: "settings" } },
        { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } },
        { name: "host", hostPath: { path: "/etc", type: "Directory" } },
      ],
      containers: [
        {
          name: "main",
          image: "busybox:1.35",
          command: ["sh", "-c", script],
          env: [
            { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
            { name: "PIN", valueFrom: { secretKeyRef: { name: "keys", key: "pin" } } },
            { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "GREETING", value: "hello-$(NAME)" },
          ],
          volumeMounts: [
            { name: "settings", mountPath: "/settings" },
            { name: "keys", mountPath: "/keys" },
            { name: "host", mountPath: "/host", readOnly: true },
          ],
        },
      ],
    };
    await applyPod("informed", {}, spec);
    await eventually("informed", phase("Running"));
    const text = await waitFor("its words", async () => {
      const said = await logs("informed");
      return said.includes("400") && said;
    });
    expect(text).toContain("blue 1234 informed hello-informed\nblue1234");
  });

  it("is ready only while its readiness probe says so", async () => {
    const spec = {
      containers: [
        {
          name: "main",
          image: "busybox:1.35",
          command: ["sh", "-c", "sleep 600"],
          readinessProbe: { exec: { command: ["test", "-e", "/tmp/ready"] }, periodSeconds: 1 },
        },
      ],
    };
    await applyPod("hesitant", {}, spec);
    const running = await eventually("hesitant", phase("Running"));
    expect(container(running).ready).toBe(false);
    await cluster.kubectl("exec", "hesitant", "--", "touch", "/tmp/ready");
    await cluster.kubectl("wait", "--for=condition=Ready", "pod/hesitant", "--timeout=30s");
    await cluster.kubectl("exec", "hesitant", "--", "rm", "/tmp/ready");
    await cluster.kubectl("wait", "--for=condition=Ready=false", "pod/hesitant", "--timeout=30s");
  });

  it("is restarted when its liveness probe fails", async () => {
    const spec = {
      containers: [
        {
          name: "main",
          image: "busybox:1.35",
          command: ["sh", "-c", "sleep 600"],
          livenessProbe: {
            tcpSocket: { port: 9 },
            periodSeconds: 1,
            failureThreshold: 1,
          },
        },
      ],
    };
    await applyPod("lifeless", {}, spec);
    await eventually("lifeless", (it) => container(it).restartCount > 0);
    const events = await cluster.kubectl(
      "get",
      "events",
      "--field-selector",
      "involvedObject.name=lifeless",
    );
    expect(events).toContain("Unhealthy");
    expect(events).toContain("Liveness probe failed");
  });

  it("stays Pending, with an Event that names the field, when the node cannot honour it", async () => {
    await applyPod("demanding", { main: "sleep 600" }, { shareProcessNamespace: true });
    await waitFor("the Event", async () => {
      const text = await cluster.kubectl("describe", "pod", "demanding");
      return text.includes("spec.shareProcessNamespace");
    });
    expect((await pod("demanding")).status.phase).toBe("Pending");
  });

  it("stays Pending when no node has room, and says why", async () => {
    const containers = [
      { name: "main", image: "busybox:1.35", resources: { requests: { cpu: "1000" } } },
    ];
    await applyPod("giant", {}, { containers });
    const pending = await eventually("giant", (it) => it.status.conditions?.length > 0);
    expect(pending.status.conditions[0]).toMatchObject({
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
    });
    expect(pending.status.conditions[0].message).toMatch(
      /0\/1 nodes are available: 1 Insufficient cpu/,
    );
  });

  it("is killed after its grace when it does not listen to SIGTERM", async () => {
    await applyPod("deaf", { main: "trap '' TERM; while :; do sleep 1; done" });
    await eventually("deaf", phase("Running"));
    await cluster.kubectl("delete", "pod", "deaf", "--grace-period=2", "--timeout=30s");
    expect((await cluster.tryKubectl("get", "pod", "deaf")).stderr).toContain(
      'pods "deaf" not found',
    );
  });
});

describe.concurrent("an example", () => {
  const folder = resolve(import.meta.dirname, "../../manifests/examples");
  const inNamespace = ["--namespace", "examples"];
  const kubectl = (...args: string[]) => cluster.kubectl(...inNamespace, ...args);

  beforeAll(async () => {
    await cluster.kubectl("create", "namespace", "examples");
  });

  /** Applies the file, waits until the pod has said it, and deletes everything again. */
  async function says(file: string, wanted: string[], ...logsArgs: string[]): Promise<void> {
    await kubectl("apply", "-f", resolve(folder, file));
    await waitFor(`what ${file} says`, async () => {
      const text = await kubectl("logs", ...logsArgs);
      return wanted.every((line) => text.includes(line));
    });
    await kubectl("delete", "-f", resolve(folder, file), "--timeout=15s");
  }

  it("reads a ConfigMap and a Secret", async () => {
    const words = "correct horse battery staple";
    const wanted = [`color=blue password=${words}\n`, `Hello from a ConfigMap.\n${words}`];
    await says("configmap-and-secret.yaml", wanted, "configured");
  });

  it("has two containers that talk over localhost", async () => {
    await says("two-containers.yaml", ["<title>Welcome"], "two-containers", "-c", "reader");
  });

  it("fails once, is restarted, and succeeds", async () => {
    await says("run-once.yaml", ["done\n"], "run-once");
  });
});
