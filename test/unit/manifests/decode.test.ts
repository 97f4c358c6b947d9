import { expect, test } from "vitest";
import {
  DecodeError,
  decode,
  decodeErrorMessage,
  kindOfDocument,
} from "../../../manifests/decode.ts";
import {
  allKinds,
  ConfigMap,
  Deployment,
  type Kind,
  type KubeObject,
  Pod,
  ReplicaSet,
  Secret,
  StatefulSet,
} from "../../../manifests/index.ts";
import { typeSchema } from "../../../manifests/schema/schema.ts";

function refusal(kind: Kind, value: unknown): string {
  try {
    decode(kind, value, { strict: true });
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
  throw new Error("decoded without complaint");
}

test("decode: every kind has its type and its list in the schema", () => {
  for (const kind of allKinds()) {
    expect(typeSchema(kind.typeName).object, kind.typeName).toBe(true);
    if (kind.verbs.includes("list")) expect(typeSchema(`${kind.typeName}List`).object).toBe(true);
  }
});

test("decode: an empty object of every kind decodes, and decoding twice changes nothing", () => {
  for (const kind of allKinds()) {
    const once = decode<KubeObject>(kind, { metadata: { name: "x" } }, { strict: true }).object;
    expect(decode<KubeObject>(kind, once, { strict: true }).object).toEqual(once);
    expect(once).toMatchObject({ apiVersion: kind.apiVersion, kind: kind.kind });
  }
});

test.each<[string, Kind, unknown, string]>([
  [
    "a map given as text",
    Pod,
    { metadata: { labels: "x" } },
    "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
  ],
  [
    "a label that is a number",
    Pod,
    { metadata: { labels: { a: 1 } } },
    "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
  ],
  [
    "text for a number",
    Deployment,
    { spec: { replicas: "3" } },
    "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
  ],
  [
    "a fraction for a whole number",
    Deployment,
    { spec: { replicas: 1.5 } },
    "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
  ],
  [
    "a number too large",
    Deployment,
    { spec: { replicas: 3e9 } },
    "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
  ],
  [
    "a mapping for a list",
    Pod,
    { spec: { containers: {} } },
    "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
  ],
  [
    "a list for a mapping",
    Pod,
    { spec: [] },
    "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
  ],
  [
    "text for a boolean",
    Pod,
    { spec: { hostNetwork: "yes" } },
    "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
  ],
  [
    "a bad quantity",
    Pod,
    { spec: { containers: [{ resources: { limits: { cpu: "1x" } } }] } },
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  ["bad base64", Secret, { data: { a: "ab!=" } }, "illegal base64 data at input byte 2"],
  [
    "an unknown field",
    Pod,
    { spec: { foo: 1 } },
    'strict decoding error: unknown field "spec.foo"',
  ],
  [
    "an unknown field in a list",
    Deployment,
    { spec: { template: { spec: { containers: [{ name: "a" }, { imagee: "x" }] } } } },
    'strict decoding error: unknown field "spec.template.spec.containers[1].imagee"',
  ],
  [
    "two unknown fields",
    Pod,
    { spec: { foo: 1 }, bar: {} },
    'strict decoding error: unknown field "spec.foo", unknown field "bar"',
  ],
  [
    "something that is no mapping",
    Pod,
    "x",
    "json: cannot unmarshal string into Go value of type v1.Pod",
  ],
])("decode: refuses %s", (_name, kind, value, message) => {
  expect(refusal(kind, value)).toBe(message);
});

test("decode: without strict, an unknown field is dropped and told", () => {
  const { object, strictErrors } = decode(Pod, { metadata: { name: "x" }, spec: { foo: 1 } });
  expect(strictErrors).toEqual(['unknown field "spec.foo"']);
  expect(object.spec).toEqual({ containers: [] });
});

test("decode: zero values are written or left out as Go does it", () => {
  const { object } = decode(ReplicaSet, {
    metadata: { name: "x", labels: {}, finalizers: [], creationTimestamp: null },
    spec: { replicas: 0, minReadySeconds: 0, template: { spec: { hostNetwork: false } } },
  });
  expect(object).toEqual({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "x" },
    spec: { replicas: 0, template: { metadata: {}, spec: { containers: [] } } },
    status: { replicas: 0 },
  });
});

test("decode: equal objects have equal JSON, whatever the order they were written in", () => {
  const a = { metadata: { name: "x", labels: { b: "1", a: "2" } }, data: { y: "1", x: "2" } };
  const b = { data: { x: "2", y: "1" }, metadata: { labels: { a: "2", b: "1" }, name: "x" } };
  const text = (value: unknown) => JSON.stringify(decode(ConfigMap, value).object);
  expect(text(a)).toBe(text(b));
});

test("decode: a key called __proto__ is a key like any other", () => {
  const value = JSON.parse('{"metadata":{"name":"x"},"data":{"__proto__":"v"}}') as unknown;
  const { object } = decode(ConfigMap, value, { strict: true });
  expect(JSON.stringify(object.data)).toBe('{"__proto__":"v"}');
  expect(refusal(Pod, JSON.parse('{"__proto__":{"a":1}}'))).toContain('unknown field "__proto__"');
});

test("decode: quantities become canonical and times UTC", () => {
  const resources = { limits: { cpu: 0.5, memory: "1024Mi" } };
  const { object } = decode(Pod, {
    metadata: { name: "x", creationTimestamp: "2026-01-02T03:04:05.678+02:00" },
    spec: { containers: [{ name: "a", resources }] },
  });
  expect(object.spec.containers[0]?.resources).toEqual({ limits: { cpu: "500m", memory: "1Gi" } });
  expect(object.metadata.creationTimestamp).toBe("2026-01-02T01:04:05Z");
});

test("decode: objects inside objects keep their kind", () => {
  const claim = { kind: "PersistentVolumeClaim", apiVersion: "v1", metadata: { name: "data" } };
  const value = { metadata: { name: "x" }, spec: { volumeClaimTemplates: [claim] } };
  const { object } = decode(StatefulSet, value, { strict: true });
  expect(object.spec.volumeClaimTemplates?.[0]).toMatchObject(claim);
});

test("decode: a document names its kind, or is told what is missing", () => {
  expect(kindOfDocument({ apiVersion: "apps/v1", kind: "Deployment" })).toBe(Deployment);
  expect(() => kindOfDocument({ apiVersion: "v1" })).toThrow("Object 'Kind' is missing");
  expect(() => kindOfDocument({ kind: "Pod" })).toThrow("Object 'apiVersion' is missing");
  expect(() => kindOfDocument({ apiVersion: "v1", kind: "Deployment" })).toThrow(
    'no matches for kind "Deployment" in version "v1"',
  );
  expect(decodeErrorMessage(Deployment, new DecodeError("why"))).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: why',
  );
});
