import { describe, expect, test } from "vitest";
import { containerOptions } from "../../../../../actors/kubelet/engines/docker/config.ts";
import {
  toEngineError,
  toPullError,
  toStartError,
} from "../../../../../actors/kubelet/engines/docker/errors.ts";
import { withTag } from "../../../../../actors/kubelet/engines/docker/images.ts";
import { decodeRecord } from "../../../../../actors/kubelet/engines/docker/labels.ts";
import { podNetwork } from "../../../../../actors/kubelet/engines/docker/network.ts";
import { containerState } from "../../../../../actors/kubelet/engines/docker/states.ts";
import { toStats } from "../../../../../actors/kubelet/engines/docker/stats.ts";
import { demultiplex } from "../../../../../actors/kubelet/engines/docker/streams.ts";

type Inspected = Parameters<typeof containerState>[0];

function inspected(state: Partial<Inspected["State"]>): Inspected {
  return {
    Id: "id",
    Created: "2026-01-01T00:00:00Z",
    Image: "sha256:1",
    Config: { Image: "busybox:1.35", Labels: {} } as Inspected["Config"],
    State: {
      Status: "exited",
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 0,
      ExitCode: 0,
      Error: "",
      StartedAt: "2026-01-01T00:00:01.5Z",
      FinishedAt: "2026-01-01T00:00:02Z",
      ...state,
    },
  };
}

const never = "0001-01-01T00:00:00Z";

describe("docker driver", () => {
  test.each([
    [{ Status: "running", Running: true }, "running", ""],
    [{ Status: "created", StartedAt: never }, "created", ""],
    [{ ExitCode: 0 }, "exited", "Completed"],
    [{ ExitCode: 3 }, "exited", "Error"],
    [{ ExitCode: 137, OOMKilled: true }, "exited", "OOMKilled"],
    [{ ExitCode: 0, OOMKilled: true }, "exited", "OOMKilled"],
    [
      { Status: "created", StartedAt: never, ExitCode: 127, Error: "no such file" },
      "exited",
      "ContainerCannotRun",
    ],
    [{ Status: "removing" }, "unknown", ""],
  ])("docker driver: %o is %s %s", (state, status, reason) => {
    expect(containerState(inspected(state))).toMatchObject({ status, reason });
  });

  test.each([
    ["nginx", "nginx:latest"],
    ["nginx:1", "nginx:1"],
    ["host:5000/nginx", "host:5000/nginx:latest"],
    ["nginx@sha256:1", "nginx@sha256:1"],
  ])("docker driver: %s is pulled as %s", (image, tagged) => expect(withTag(image)).toBe(tagged));

  const failure = (statusCode: number | undefined, message: string, code?: string) =>
    Object.assign(new Error(`(HTTP code ${statusCode}) x - ${message} `), {
      ...(statusCode ? { statusCode, json: { message } } : {}),
      ...(code ? { code } : {}),
    });

  test.each([
    [toEngineError, failure(404, "No such container: x"), "not-found"],
    [toEngineError, failure(500, "boom"), "failed"],
    [toEngineError, failure(undefined, "connect", "ECONNREFUSED"), "unavailable"],
    [toEngineError, failure(undefined, "connect", "EACCES"), "unavailable"],
    [toStartError, failure(400, "exec: no such file or directory"), "start-failed"],
    [toStartError, failure(500, "OCI runtime create failed"), "start-failed"],
    [toStartError, failure(500, "devmapper: out of space"), "failed"],
    [toPullError, failure(404, "manifest for a:b not found: manifest unknown"), "image-not-found"],
    [toPullError, failure(400, "invalid reference format"), "invalid-image"],
    [toPullError, failure(500, "Get https://x/v2/: dial tcp: i/o timeout"), "pull-failed"],
    [toPullError, failure(undefined, "connect", "ENOENT"), "unavailable"],
  ])("docker driver: %o of %s is %s", (convert, error, code) => {
    expect(convert(error)).toMatchObject({ code });
  });

  test("docker driver: Docker's own sentence is kept", () => {
    expect(toEngineError(failure(500, "it is so")).message).toBe("it is so");
  });

  test("docker driver: frames are put together however they were cut", async () => {
    const frame = (stream: number, text: string) => {
      const header = Buffer.alloc(8);
      header[0] = stream;
      header.writeUInt32BE(text.length, 4);
      return Buffer.concat([header, Buffer.from(text)]);
    };
    const whole = Buffer.concat([
      frame(1, "one"),
      frame(2, ""),
      frame(2, "two"),
      frame(1, "three"),
    ]);
    for (let size = 1; size <= whole.length; size++) {
      const pieces = async function* () {
        for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
      };
      const text = { stdout: "", stderr: "" };
      for await (const chunk of demultiplex(pieces())) text[chunk.stream] += chunk.data;
      expect(text).toEqual({ stdout: "onethree", stderr: "two" });
    }
  });

  const security = {
    readOnlyRootFilesystem: false,
    privileged: true,
    noNewPrivileges: false,
    addCapabilities: [],
    dropCapabilities: [],
  };
  const optionsWith = (sysResource: boolean) =>
    containerOptions(
      { cluster: "c", node: "n" },
      { id: "s", labels: {}, cgroupParent: undefined },
      {
        name: "app",
        attempt: 0,
        image: "i",
        env: [],
        mounts: [],
        resources: { oomScoreAdj: -997 },
        tty: false,
        stdin: false,
        stdinOnce: false,
        security,
        labels: {},
        annotations: {},
      },
      { sysResource },
    ).HostConfig;

  test("docker driver: without CAP_SYS_RESOURCE it asks for all the rest", () => {
    expect(optionsWith(true)).toMatchObject({ Privileged: true, OomScoreAdj: -997 });
    const without = optionsWith(false);
    expect(without?.Privileged).toBeUndefined();
    expect(without?.OomScoreAdj).toBe(0);
    expect(without?.CapAdd).toContain("SYS_ADMIN");
    expect(without?.CapAdd).not.toContain("SYS_RESOURCE");
  });

  test("docker driver: the bridge's name fits the kernel, and differs by cluster and node", () => {
    const names = ["a/1", "a/2", "b/1"].map((it) => {
      const [cluster = "", node = ""] = it.split("/");
      return podNetwork({ cluster, node }, "10.0.0.0/24").bridge;
    });
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^wh[0-9a-f]{10}$/);
  });

  test("docker driver: foreign labels do no harm", () => {
    expect(decodeRecord("not json")).toEqual({});
    expect(decodeRecord('["a"]')).toEqual({ 0: "a" });
    expect(decodeRecord('{"a":1,"b":"2"}')).toEqual({ b: "2" });
    expect(decodeRecord(undefined)).toEqual({});
  });

  test("docker driver: memory is the working set, on both cgroup versions", () => {
    const usage = (stats: Record<string, number>) =>
      toStats({ memory_stats: { usage: 100, stats } }).memoryBytes;
    expect(usage({ total_inactive_file: 30, inactive_file: 5 })).toBe(70);
    expect(usage({ inactive_file: 40 })).toBe(60);
    expect(toStats({})).toEqual({ cpuNanoseconds: 0, memoryBytes: 0 });
  });
});
