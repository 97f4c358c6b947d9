import { expect, test } from "vitest";
import { ConfigMap, Deployment, decode, Pod } from "../../../../manifests/index.ts";
import { ProtobufError, parseProtobuf } from "../../../../manifests/protobuf/index.ts";

/** Writes the wire format by hand, so that reading it is not judged by its own mirror image. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    bytes.push(left > 0n ? low | 0x80 : low);
  } while (left > 0n);
  return Buffer.from(bytes);
}

const int = (number: number, value: number) => Buffer.concat([varint(number * 8), varint(value)]);
function bytes(number: number, ...parts: (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body]);
}

function envelope(apiVersion: string, kind: string, ...fields: Buffer[]): Buffer {
  const type = bytes(1, bytes(1, apiVersion), bytes(2, kind));
  return Buffer.concat([Buffer.from("k8s\0"), type, bytes(2, ...fields)]);
}

const meta = (name: string, ...more: Buffer[]) => bytes(1, bytes(1, name), ...more);

test("protobuf: maps, bytes and empty times", () => {
  const label = bytes(11, bytes(1, "app"), bytes(2, "x"));
  const object = parseProtobuf(
    envelope(
      "v1",
      "ConfigMap",
      meta("a", bytes(8), label),
      bytes(2, bytes(1, "k"), bytes(2, "v")),
      bytes(3, bytes(1, "b"), bytes(2, Buffer.from([255, 0]))),
    ),
  );
  expect(decode(ConfigMap, object).object).toEqual({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", labels: { app: "x" } },
    data: { k: "v" },
    binaryData: { b: "/wA=" },
  });
});

test("protobuf: inlined structs, numbers below zero, int-or-string, quantities", () => {
  const limit = bytes(1, bytes(1, "cpu"), bytes(2, bytes(1, "500m")));
  const probe = bytes(
    10,
    bytes(1, bytes(2, bytes(1, "/healthz"), bytes(2, int(1, 1), bytes(3, "http")))),
    int(2, 5),
  );
  const container = bytes(2, bytes(1, "main"), bytes(2, "nginx"), bytes(8, limit), probe);
  const volume = bytes(1, bytes(1, "v"), bytes(2, bytes(19, bytes(1, bytes(1, "settings")))));
  const spec = bytes(2, volume, container, int(4, -7));
  const pod = parseProtobuf(envelope("v1", "Pod", meta("p"), spec));
  expect(pod.spec).toEqual({
    volumes: [{ name: "v", configMap: { name: "settings" } }],
    containers: [
      {
        name: "main",
        image: "nginx",
        resources: { limits: { cpu: "500m" } },
        livenessProbe: { httpGet: { path: "/healthz", port: "http" }, initialDelaySeconds: 5 },
      },
    ],
    terminationGracePeriodSeconds: -7,
  });
  expect(decode(Pod, pod).strictErrors).toEqual([]);
});

test("protobuf: times to the second, and fields that nobody knows", () => {
  const created = bytes(8, int(1, 1_767_225_600), int(2, 5));
  const object = parseProtobuf(
    envelope(
      "apps/v1",
      "Deployment",
      meta("d", created, bytes(999, "?"), int(998, 1)),
      bytes(2, int(1, 3)),
    ),
  );
  expect(object).toMatchObject({
    metadata: { creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { replicas: 3 },
  });
  expect(decode(Deployment, object).object.metadata.name).toBe("d");
});

test("protobuf: what is cut off, unknown, or no protobuf at all is refused", () => {
  const whole = envelope("v1", "ConfigMap", meta("a"));
  const refused: [Buffer, string][] = [
    [Buffer.from("{}"), "does not appear to be a protobuf message"],
    [whole.subarray(0, whole.length - 2), "unexpected EOF"],
    [envelope("v1", "Nonsense"), 'no kind "Nonsense" is registered'],
  ];
  for (const [body, message] of refused) {
    expect(() => parseProtobuf(body)).toThrow(ProtobufError);
    expect(() => parseProtobuf(body)).toThrow(message);
  }
});
