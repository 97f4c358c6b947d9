/** CustomResourceDefinitions over real HTTPS, with stock kubectl: from apply to the end of what they brought. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { defineKind } from "../../manifests/index.ts";
import { startCustomApi, type TestCustomApi } from "../harness/custom-kinds.ts";

let env: TestCustomApi;

beforeAll(async () => {
  env = await startCustomApi();
});

afterAll(async () => {
  await env.dispose();
});

const crontabs = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources:
        status: {}
        scale:
          specReplicasPath: .spec.replicas
          statusReplicasPath: .status.replicas
          labelSelectorPath: .status.labelSelector
      selectableFields: [{jsonPath: .spec.color}]
      additionalPrinterColumns:
        - {name: Spec, type: string, jsonPath: .spec.cronSpec, description: When it runs.}
        - {name: Replicas, type: integer, jsonPath: .spec.replicas}
        - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
        - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
        - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
      schema:
        openAPIV3Schema:
          type: object
          description: A table of what runs when.
          required: [spec]
          properties:
            spec:
              type: object
              description: What is wanted.
              required: [cronSpec]
              properties:
                cronSpec: {type: string, pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', description: In five fields.}
                image: {type: string, default: busybox}
                color: {type: string, enum: [red, green]}
                replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
                hosts: {type: array, x-kubernetes-list-type: set, items: {type: string}}
            status:
              type: object
              properties:
                replicas: {type: integer}
                labelSelector: {type: string}
                conditions:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [type]
                  items:
                    type: object
                    required: [type, status]
                    properties: {type: {type: string}, status: {type: string}}
`;

const widgetsName = "widgets.other.example.com";
const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${widgetsName}}
spec:
  group: other.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`;

const crontab = (name: string, spec: string) => `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: ${name}}
spec: ${spec}
`;

const apply = (input: string) => env.kubectl(["apply", "-f", "-"], { input });
const refused = (args: string[], input?: string) =>
  env.kubectl(args, { fails: true, ...(input ? { input } : {}) });

test("crd: is established, discovered, explained, and found by its short name", async () => {
  expect(await apply(crontabs)).toBe(
    "customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created\n",
  );
  const wait = ["wait", "--for=condition=established", "--timeout=30s", "crd", "--all"];
  expect(await env.kubectl(wait)).toContain("condition met");
  const resources = await env.kubectl(["api-resources", "--api-group=stable.example.com"]);
  expect(resources).toMatch(/^crontabs +ct +stable\.example\.com\/v1 +true +CronTab$/m);
  const words = await env.kubectl(["explain", "ct.spec.cronSpec"]);
  expect(words).toMatch(/FIELD: cronSpec <string>[\s\S]*In five fields/);
  expect(await env.kubectl(["explain", "crontab"])).toContain("A table of what runs when.");
});

test("crd: objects are defaulted and shown in the columns that it names", async () => {
  expect(await apply(crontab("nightly", '{cronSpec: "0 3 * * *", color: red}'))).toBe(
    "crontab.stable.example.com/nightly created\n",
  );
  expect(await env.kubectl(["get", "ct"])).toMatch(
    /^NAME +SPEC +REPLICAS +READY +AGE\nnightly +0 3 \* \* \* +1 +\d+s\n$/,
  );
  expect(await env.kubectl(["get", "ct", "-o", "wide", "--no-headers"])).toContain("busybox");
  const ready = '{"status":{"replicas":1,"conditions":[{"type":"Ready","status":"True"}]}}';
  await env.kubectl([
    "patch",
    "ct",
    "nightly",
    "--subresource=status",
    "--type=merge",
    "-p",
    ready,
  ]);
  expect(await env.kubectl(["get", "ct", "nightly", "--no-headers"])).toContain("True");
  await apply(crontab("hourly", '{cronSpec: "0 * * * *", color: green}'));
  const red = ["get", "ct", "--field-selector=spec.color=red", "-o", "name"];
  expect(await env.kubectl(red)).toBe("crontab.stable.example.com/nightly\n");
  expect(await env.kubectl(["get", "all", "-o", "name"])).toContain("crontab.stable.example.com/");
});

test("crd: what the schema does not allow is refused in upstream's words", async () => {
  const invalid = 'The CronTab "bad" is invalid: ';
  const cases: [string, string][] = [
    [
      '{cronSpec: "* * * * *", replicas: 0}',
      "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1",
    ],
    ["{}", "spec.cronSpec: Required value"],
    [
      '{cronSpec: "* * * * *", color: blue}',
      'spec.color: Unsupported value: "blue": supported values: "red", "green"',
    ],
    [
      '{cronSpec: "* * * * *", replicas: "one"}',
      'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
    ],
    ['{cronSpec: "* * * * *", hosts: [a, a]}', 'spec.hosts[1]: Duplicate value: "a"'],
  ];
  for (const [spec, message] of cases) {
    const said = await refused(["create", "-f", "-"], crontab("bad", spec));
    expect(said.trim()).toBe(invalid + message);
  }
  const unknown = crontab("bad", '{cronSpec: "* * * * *", typo: 1}');
  expect(await refused(["create", "-f", "-"], unknown)).toContain(
    'strict decoding error: unknown field "spec.typo"',
  );
  await env.kubectl(["create", "--validate=false", "-f", "-"], { input: unknown });
  expect(await env.kubectl(["get", "ct", "bad", "-o", "jsonpath={.spec.typo}"])).toBe("");
  await env.kubectl(["delete", "ct", "bad"]);
});

test("crd: objects are patched, scaled and applied on the server, but not merged strategically", async () => {
  await env.kubectl(["scale", "ct/nightly", "--replicas=3"]);
  const replicas = [
    "get",
    "ct",
    "nightly",
    "-o",
    "jsonpath={.spec.replicas} {.metadata.generation}",
  ];
  expect(await env.kubectl(replicas)).toBe("3 2");
  const paint = (type: string) => [
    "patch",
    "ct",
    "nightly",
    `--type=${type}`,
    "-p",
    '{"spec":{"color":"green"}}',
  ];
  await env.kubectl(paint("merge"));
  expect(await refused(paint("strategic"))).toMatch(/UnsupportedMediaType|unknown format/);
  const server = ["apply", "--server-side", "--field-manager=tester", "-f", "-"];
  const mine = crontab("nightly", '{cronSpec: "0 3 * * *", replicas: 4}');
  expect(await refused(server, mine)).toContain(".spec.replicas");
  await env.kubectl([...server, "--force-conflicts"], { input: mine });
  expect(await env.kubectl(replicas)).toMatch(/^4 /);
});

test("crd: another API actor serves at once what was defined at this one", async () => {
  await env.start();
  const api = await env.client();
  const Widget = defineKind("other.example.com/v1", "Widget");
  await apply(widgets);
  await env.kubectl(["wait", "--for=condition=established", "--timeout=30s", `crd/${widgetsName}`]);
  // The NATS door asks whichever of the two is free; neither may say that it knows no such kind.
  const made = Array.from({ length: 20 }, (_, nth) =>
    api.create(Widget, { metadata: { name: `w-${nth}`, namespace: "default" } }),
  );
  await Promise.all(made);
  expect((await api.list(Widget, { namespace: "default" })).items).toHaveLength(20);
});

test("crd: takes its objects along, and leaves nothing that could be asked for", async () => {
  const delayed = '{"metadata":{"finalizers":["example.com/hold"]}}';
  await env.kubectl(["patch", "ct", "hourly", "--type=merge", "-p", delayed]);
  await env.kubectl(["delete", "crd", "crontabs.stable.example.com", "--wait=false"]);
  const crd = ["get", "crd", "crontabs.stable.example.com", "-o"];
  const why = 'jsonpath={.status.conditions[?(@.type=="Terminating")].reason}';
  await env.until(
    "the deletion to begin",
    async () => (await env.kubectl([...crd, why])) === "InstanceDeletionInProgress",
  );
  expect(
    await refused(["create", "-f", "-"], crontab("late", '{cronSpec: "* * * * *"}')),
  ).toContain("create not allowed while custom resource definition is terminating");
  await env.kubectl([
    "patch",
    "ct",
    "hourly",
    "--type=merge",
    "-p",
    '{"metadata":{"finalizers":null}}',
  ]);
  await env.kubectl(["wait", "--for=delete", "--timeout=30s", "crd/crontabs.stable.example.com"]);
  const raw = ["get", "--raw", "/apis/stable.example.com/v1/namespaces/default/crontabs"];
  expect(await refused(raw)).toContain("the server could not find the requested resource");
});
