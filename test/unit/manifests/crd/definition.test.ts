import { describe, expect, test } from "vitest";
import type { Schema } from "../../../../manifests/crd/schema.ts";
import { validateStructural } from "../../../../manifests/crd/structural.ts";
import {
  CustomResourceDefinition,
  compareVersions,
  type CustomResourceDefinition as Definition,
  decode,
  fieldErrorMessage,
  setDefaults,
  validateCreate,
  validateUpdate,
} from "../../../../manifests/index.ts";
import { FieldErrors } from "../../../../manifests/validation/field-error.ts";

type Change = (spec: Definition["spec"], definition: Definition) => void;

const structural = { openAPIV3Schema: { type: "object" } };

function definition(change: Change = () => undefined): Definition {
  const made: Definition = {
    metadata: { name: "crontabs.stable.example.com" },
    spec: {
      group: "stable.example.com",
      scope: "Namespaced",
      names: { plural: "crontabs", kind: "CronTab" },
      versions: [{ name: "v1", served: true, storage: true, schema: structural }],
    },
  };
  change(made.spec, made);
  return setDefaults(CustomResourceDefinition, decode(CustomResourceDefinition, made).object);
}

const first = (spec: Definition["spec"]) => spec.versions[0] as Definition["spec"]["versions"][0];

describe("definitions", () => {
  const path = "spec.versions[0]";
  const cases: [string, Change, string[]][] = [
    ["good", () => undefined, []],
    [
      "with another name",
      (_spec, { metadata }) => {
        metadata.name = "tabs.stable.example.com";
      },
      [
        'metadata.name: Invalid value: "tabs.stable.example.com": must be spec.names.plural+"."+spec.group',
      ],
    ],
    [
      "in a group without a dot",
      (spec, { metadata }) => {
        spec.group = "stable";
        metadata.name = "crontabs.stable";
      },
      ['spec.group: Invalid value: "stable": should be a domain with at least one dot'],
    ],
    [
      "in a group of the community's",
      (spec, { metadata }) => {
        spec.group = "stable.k8s.io";
        metadata.name = "crontabs.stable.k8s.io";
      },
      [
        'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ],
    ],
    [
      "approved to be there",
      (spec, { metadata }) => {
        spec.group = "stable.k8s.io";
        metadata.name = "crontabs.stable.k8s.io";
        metadata.annotations = { "api-approved.kubernetes.io": "https://example.com/1" };
      },
      [],
    ],
    [
      "of a scope that there is not",
      (spec) => {
        spec.scope = "World";
      },
      ['spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"'],
    ],
    [
      "without a schema",
      (spec) => {
        delete first(spec).schema;
      },
      [`${path}.schema.openAPIV3Schema: Required value: schemas are required`],
    ],
    [
      "that keeps unknown fields",
      (spec) => {
        spec.preserveUnknownFields = true;
      },
      [
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ],
    ],
    [
      "with two versions to store",
      (spec) => {
        spec.versions.push({ ...first(spec), name: "v2" });
      },
      [
        'spec.versions: Invalid value: ["v1","v2"]: must have exactly one version marked as storage version',
      ],
    ],
    [
      "with a version twice",
      (spec) => {
        spec.versions.push({ ...first(spec), storage: false });
      },
      ['spec.versions: Invalid value: ["v1","v1"]: must contain unique version names'],
    ],
    [
      "whose list is called as its kind",
      (spec) => {
        spec.names.listKind = "CronTab";
      },
      ['spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same'],
    ],
    [
      "with a scale that is elsewhere",
      (spec) => {
        const scale = {
          specReplicasPath: ".status.replicas",
          statusReplicasPath: ".status.replicas",
        };
        first(spec).subresources = { scale };
      },
      [
        'spec.subresources.scale.specReplicasPath: Invalid value: ".status.replicas": should be a json path under .spec',
      ],
    ],
    [
      "with a column of no type",
      (spec) => {
        first(spec).additionalPrinterColumns = [{ name: "A", type: "text", jsonPath: ".spec.a" }];
      },
      [
        'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      ],
    ],
    [
      "with a column that leads nowhere",
      (spec) => {
        first(spec).additionalPrinterColumns = [{ name: "A", type: "string", jsonPath: "spec a" }];
      },
      [
        'spec.additionalPrinterColumns[0].jsonPath: Invalid value: "spec a": is an invalid JSON path: unrecognized character in path at "spec a"',
      ],
    ],
    [
      "selected by what it has not",
      (spec) => {
        first(spec).selectableFields = [{ jsonPath: ".spec.color" }];
      },
      [
        `${path}.selectableFields[0].jsonPath: Invalid value: ".spec.color": is an invalid path: does not refer to a valid field`,
      ],
    ],
    [
      "with a warning nobody needs",
      (spec) => {
        first(spec).deprecationWarning = "old";
      },
      [`${path}.deprecationWarning: Invalid value: "old": can only be set for deprecated versions`],
    ],
    [
      "converted by nobody",
      (spec) => {
        spec.conversion = { strategy: "Webhook" };
      },
      [
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        "spec.conversion.conversionReviewVersions: Required value",
      ],
    ],
    [
      "converted in an unknown language",
      (spec) => {
        const webhook = { clientConfig: { url: "https://x" }, conversionReviewVersions: ["v9"] };
        spec.conversion = { strategy: "Webhook", webhook };
      },
      [
        'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
      ],
    ],
  ];
  test.each(cases)("definitions: one %s", (_what, change, expected) => {
    const errors = validateCreate(CustomResourceDefinition, definition(change));
    expect(errors.map(fieldErrorMessage)).toEqual(expected);
  });

  test("definitions: what objects are found by stays as it is once they are served", () => {
    const old = definition();
    old.status = { conditions: [{ type: "Established", status: "True" }] };
    const after = definition((spec) => {
      spec.scope = "Cluster";
      spec.names.kind = "Tab";
      spec.names.listKind = "TabList";
    });
    after.metadata.resourceVersion = "1";
    const errors = validateUpdate(CustomResourceDefinition, after, old);
    expect(errors.map(fieldErrorMessage)).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.kind: Invalid value: "Tab": field is immutable',
    ]);
  });
});

describe("structural schemas", () => {
  const at = "s.properties[f]";
  const text: Schema = { type: "string" };
  const named: Schema = { type: "object", properties: { name: text } };
  const cases: [string, Schema, string[]][] = [
    ["a type", text, []],
    ["no type", {}, [`${at}.type: Required value: must not be empty for specified object fields`]],
    [
      "items without a type",
      { type: "array", items: {} },
      [`${at}.items.type: Required value: must not be empty for specified array items`],
    ],
    ["a list of nothing", { type: "array" }, [`${at}.items: Required value: must be specified`]],
    [
      "a schema for each place of a list",
      { type: "array", items: [text] },
      [`${at}.items: Forbidden: items must be a schema object and not an array`],
    ],
    [
      "a reference",
      { type: "object", $ref: "#/x" },
      [`${at}.$ref: Forbidden: $ref is not supported`],
    ],
    [
      "a check that takes quadratic time",
      { type: "array", items: text, uniqueItems: true },
      [
        `${at}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
      ],
    ],
    [
      "properties and any others",
      { type: "object", properties: { a: text }, additionalProperties: text },
      [
        `${at}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
      ],
    ],
    [
      "a type inside logic",
      { ...text, anyOf: [{ type: "string" }] },
      [`${at}.anyOf[0].type: Forbidden: must be empty to be structural`],
    ],
    [
      "a property that is only in logic",
      { type: "object", properties: { a: text }, oneOf: [{ properties: { b: { minLength: 1 } } }] },
      [
        `${at}.properties[b]: Required value: because it is defined in ${at}.oneOf[0].properties[b]`,
      ],
    ],
    [
      "an integer or string, at length",
      { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
      [],
    ],
    [
      "an integer or string with a type",
      { ...text, "x-kubernetes-int-or-string": true },
      [`${at}.type: Invalid value: "string": must be empty if x-kubernetes-int-or-string is true`],
    ],
    [
      "an embedded object of nothing",
      { type: "object", "x-kubernetes-embedded-resource": true },
      [
        `${at}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
      ],
    ],
    [
      "a list of type map without keys",
      { type: "array", items: named, "x-kubernetes-list-type": "map" },
      [
        `${at}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
      ],
    ],
    [
      "a key that may be absent",
      {
        type: "array",
        items: named,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      },
      [
        `${at}.items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
      ],
    ],
    [
      "a set of what cannot be compared",
      { type: "array", items: named, "x-kubernetes-list-type": "set" },
      [
        `${at}.items.x-kubernetes-map-type: Invalid value: "": must be atomic as item of a list with x-kubernetes-list-type=set`,
      ],
    ],
    [
      "a pattern that is none",
      { ...text, pattern: "(" },
      [
        `${at}.pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
      ],
    ],
    [
      "a default that does not fit",
      { ...text, default: 1 },
      [
        `${at}.default: Invalid value: "integer": ${at}.default in body must be of type string: "integer"`,
      ],
    ],
    [
      "a default that would be pruned",
      { ...named, default: { other: 1 } },
      [`${at}.default: Invalid value: {"other":1}: must not have unknown fields`],
    ],
  ];
  test.each(cases)("structural: %s", (_what, schema, expected) => {
    const errors = new FieldErrors();
    validateStructural(errors, { type: "object", properties: { f: schema } }, "s");
    expect(errors.list.map(fieldErrorMessage)).toEqual(expected);
  });

  test("structural: the root is an object, and its metadata what metadata is", () => {
    const errors = new FieldErrors();
    validateStructural(errors, { type: "string", nullable: true }, "s");
    const metadata = { type: "object", properties: { labels: { type: "object" } } };
    validateStructural(errors, { type: "object", properties: { metadata } }, "s");
    expect(errors.list.map(fieldErrorMessage)).toEqual([
      's.type: Invalid value: "string": must be object at the root',
      "s.nullable: Forbidden: nullable cannot be true at the root",
      "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
    ]);
  });
});

test("versions: the most stable comes first, and of each the newest", () => {
  const known = [
    "foo10",
    "v1",
    "v10beta3",
    "v2",
    "v11alpha2",
    "foo1",
    "v3beta1",
    "v12alpha1",
    "v10",
    "v11beta2",
  ];
  expect(known.sort(compareVersions)).toEqual([
    "v10",
    "v2",
    "v1",
    "v11beta2",
    "v10beta3",
    "v3beta1",
    "v12alpha1",
    "v11alpha2",
    "foo1",
    "foo10",
  ]);
});
