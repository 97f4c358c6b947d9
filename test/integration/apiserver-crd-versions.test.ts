/** One custom kind in several versions, its rules, its owners, and who watches it. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { adminPrincipal } from "../../actors/apiserver/authn/user.ts";
import type { ManifestsApplied } from "../../actors/apiserver/messages.ts";
import { createInformers } from "../../actors/kit/informer.ts";
import { manifestsSubject } from "../../actors/subjects.ts";
import { defineKind, type KubeObject } from "../../manifests/index.ts";
import { createLog } from "../../runtime/log.ts";
import { realClock } from "../../runtime/real.ts";
import { startCustomApi, type TestCustomApi } from "../harness/custom-kinds.ts";
import { readJson } from "../harness/messages.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestCustomApi;
const log = createLog({ level: "silent" });

const name = "shirts.stable.example.com";
const schema = `
  openAPIV3Schema:
    type: object
    properties:
      spec:
        type: object
        x-kubernetes-validations:
          - {rule: "!has(self.most) || self.size <= self.most", messageExpression: "'at most ' + string(self.most)", fieldPath: .size}
        properties:
          size:
            type: integer
            x-kubernetes-validations: [{rule: self >= oldSelf, message: it never shrinks}]
          most: {type: integer}
          ports:
            type: array
            x-kubernetes-list-type: map
            x-kubernetes-list-map-keys: [name]
            items:
              type: object
              required: [name]
              properties: {name: {type: string}, number: {type: integer}}
`;

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${name}}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: shirts, kind: Shirt}
  versions:
    - name: v1
      served: true
      storage: true
      schema: ${schema.trimEnd().replaceAll("\n", "\n      ")}
    - name: v1beta1
      served: true
      storage: false
      deprecated: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`;

const shirt = (version: string, called: string, spec: string) => `
apiVersion: stable.example.com/${version}
kind: Shirt
metadata: {name: ${called}}
spec: ${spec}
`;

beforeAll(async () => {
  env = await startCustomApi();
  await env.kubectl(["apply", "-f", "-"], { input: definition });
  await env.kubectl(["wait", "--for=condition=established", "--timeout=30s", `crd/${name}`]);
});

afterAll(async () => {
  await env.dispose();
});

const apply = (input: string, ...more: string[]) =>
  env.kubectl(["apply", "-f", "-", ...more], { input });
const get = (what: string, path: string) => env.kubectl(["get", what, "-o", `jsonpath=${path}`]);

test("crd versions: an object is kept in one version and shown in each, by what that one knows", async () => {
  const said = await apply(shirt("v1beta1", "old", "{size: 3}"));
  expect(said).toContain("Warning: stable.example.com/v1beta1 Shirt is deprecated");
  const kept = env.stores.objects.view.get("stable=2Eexample=2Ecom.shirts.default.old");
  expect(JSON.parse(new TextDecoder().decode(kept?.value)).apiVersion).toBe(
    "stable.example.com/v1",
  );
  await apply(shirt("v1", "new", "{size: 3, most: 9}"));
  expect(await get("shirts.v1.stable.example.com/new", "{.spec}")).toBe('{"most":9,"size":3}');
  const shown = await get("shirts.v1beta1.stable.example.com/new", "{.apiVersion} {.spec}");
  expect(shown).toMatch(/^stable.example.com\/v1beta1 {"size":3}Warning: /);
});

test("crd versions: rules in CEL are put to what is and what was", async () => {
  const refused = (spec: string) =>
    env.kubectl(["apply", "-f", "-"], { input: shirt("v1", "new", spec), fails: true });
  expect(await refused("{size: 10, most: 9}")).toContain(
    'spec.size: Invalid value: "object": at most 9',
  );
  expect(await refused("{size: 2, most: 9}")).toContain(
    'spec.size: Invalid value: "integer": it never shrinks',
  );
  await apply(shirt("v1", "new", "{size: 4, most: 9}"));
});

test("crd versions: what a schema forbids later is left alone until somebody touches it", async () => {
  const bound = [
    {
      op: "add",
      path: "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum",
      value: 3,
    },
  ];
  await env.kubectl(["patch", "crd", name, "--type=json", "-p", JSON.stringify(bound)]);
  const patch = (spec: object) => [
    "patch",
    "shirts.v1.stable.example.com/new",
    "--type=merge",
    "-p",
    JSON.stringify({ spec }),
  ];
  await env.kubectl(patch({ most: 8 }));
  expect(await env.kubectl(patch({ size: 5 }), { fails: true })).toContain(
    "spec.size in body should be less than or equal to 3",
  );
});

test("crd versions: each applier owns the elements of a list that it applied", async () => {
  const server = ["--server-side", "--field-manager"];
  const ports = (list: string) => shirt("v1", "shared", `{ports: ${list}}`);
  await apply(ports("[{name: a, number: 1}]"), ...server, "one");
  await apply(ports("[{name: b, number: 2}]"), ...server, "two");
  await apply(ports("[]"), ...server, "one");
  expect(await get("shirt/shared", "{.spec.ports}")).toBe('[{"name":"b","number":2}]');
});

test("crd versions: an informer of an operator and a waiting kubectl hear of changes", async () => {
  const Shirt = defineKind<KubeObject & { spec: { size: number } }>(
    "stable.example.com/v1",
    "Shirt",
  );
  const informers = createInformers(await env.client(), { clock: realClock, log });
  try {
    const { lister } = informers.of(Shirt);
    await informers.of(Shirt).synced();
    await apply(shirt("v1beta1", "seen", "{size: 1}"));
    const size = () => lister.get("default/seen")?.spec.size;
    await waitFor("the informer to hear of it", async () => size() === 1);
    const seen = ["wait", "--for=jsonpath={.spec.size}=2", "--timeout=30s", "shirt/seen"];
    await Promise.all([env.kubectl(seen), apply(shirt("v1beta1", "seen", "{size: 2}"))]);
    await waitFor("the informer to hear of the change", async () => size() === 2);
  } finally {
    informers.close();
  }
});

test("crd versions: a manifest by message may be of a custom kind", async () => {
  const bus = await env.connect(adminPrincipal);
  const send = async (spec: string) => {
    const text = shirt("v1", "sent", spec);
    const answer = await bus.request(manifestsSubject("apply", adminPrincipal), text);
    return (readJson(answer) as ManifestsApplied).results[0]?.change;
  };
  expect(await send("{size: 1, most: 2}")).toBe("created");
  expect(await send("{size: 2}")).toBe("configured");
  expect(await send("{size: 2}")).toBe("unchanged");
  expect(await get("shirt/sent", "{.spec}")).toBe('{"size":2}');
});
