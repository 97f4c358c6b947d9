/** What streams through the API to a pod, with stock kubectl: ports and terminals. */
import { once } from "node:events";
import { get } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

let cluster: TestCluster;

const page = "mkdir /www; echo from-pod > /www/index.html; head -c 3000000 /dev/zero > /www/big";
const manifest = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: busybox:1.35
    command: [sh, -c, "${page}; exec httpd -f -p 8080 -h /www"]
    ports: [{containerPort: 8080}]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.apply(manifest);
  await cluster.kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=60s");
});

afterAll(() => cluster?.purge());

function fetchLength(port: number, path = "/"): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, agent: false, timeout: 10_000 };
    const request = get(options, (reply) => {
      let bytes = 0;
      reply.on("data", (data: Buffer) => {
        bytes += data.length;
      });
      reply.on("end", () => resolve(bytes));
      reply.on("error", reject);
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("timed out")));
  });
}

interface Forwarding {
  ports: number[];
  said(): string;
  end(signal?: NodeJS.Signals): Promise<void>;
}

async function forward(target: string, ports: string[], env = {}): Promise<Forwarding> {
  const child = cluster.startKubectl(env, "port-forward", "--address=127.0.0.1", target, ...ports);
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const chosen = await waitFor("the ports", () => {
    if (child.exitCode !== null) throw new Error(said);
    const found = [...said.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(([, port]) => Number(port));
    return found.length === ports.length ? found : undefined;
  });
  return {
    ports: chosen,
    said: () => said,
    async end(signal = "SIGTERM") {
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
    },
  };
}

describe("port-forward", () => {
  it.each([
    ["a tunnel in a WebSocket", {}],
    ["plain SPDY", { KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" }],
  ])("carries many connections over %s", async (_, env) => {
    const forwarding = await forward("pod/web", [":8080"], env);
    const [port = 0] = forwarding.ports;
    const answers = Array.from({ length: 8 }, () => fetchLength(port, "/big"));
    expect(await Promise.all(answers)).toEqual(Array(8).fill(3_000_000));
    expect(await fetchLength(port)).toBe("from-pod\n".length);
    await forwarding.end();
  });

  it("finds the pod of a Service, and tells why a port cannot be reached", async () => {
    const forwarding = await forward("service/web", [":80", ":80"]);
    expect(await fetchLength(forwarding.ports[1] ?? 0)).toBe("from-pod\n".length);
    await forwarding.end("SIGKILL");
    const closed = await forward("pod/web", [":9"]);
    await expect(fetchLength(closed.ports[0] ?? 0)).rejects.toThrow();
    await waitFor("the reason", () => /error forwarding port 9 to pod web/.test(closed.said()));
    expect(closed.said()).toContain("connection refused");
    await closed.end().catch(() => {});
  });
});

/** How many connections the pod's server has. */
async function connections(): Promise<number> {
  const table = await cluster.kubectl("exec", "web", "--", "netstat", "-tn");
  return table.split("\n").filter((line) => /:8080\s.*ESTABLISHED/.test(line)).length;
}

describe("a client that is killed", () => {
  it("leaves no connection to the pod behind", async () => {
    const forwarding = await forward("pod/web", [":8080"]);
    const socket = connect({ host: "127.0.0.1", port: forwarding.ports[0] ?? 0 });
    socket.on("error", () => {});
    await waitFor("the connection", async () => (await connections()) === 1);
    await forwarding.end("SIGKILL");
    await waitFor("its end", async () => (await connections()) === 0);
    socket.destroy();
  });
});

describe("exec and attach", () => {
  it.each([
    ["WebSocket", "true"],
    ["SPDY", "false"],
  ])("copy input, outputs and the exit code over %s", async (_, over) => {
    const script = "cat; echo oops >&2; exit 3";
    const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: over };
    const child = cluster.startKubectl(env, "exec", "-i", "web", "--", "sh", "-c", script);
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.stdin.end("x".repeat(500_000));
    const [code] = await once(child, "close");
    expect([code, out.length]).toEqual([3, 500_000]);
    expect(err).toContain("oops");
  });

  it("join a container that waits for input", async () => {
    const script = "read line; echo heard $line";
    const run = ["run", "asks", "--image=busybox:1.35", "--restart=Never", "-i", "--quiet"];
    const child = cluster.startKubectl({}, ...run, "--", "sh", "-c", script);
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.stdin.end("hello\n");
    await once(child, "close");
    expect(said).toContain("heard hello");
  });
});
