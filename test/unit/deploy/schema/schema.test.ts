import { expect, test } from "vitest";
import { TableBuilder } from "../../../../deploy/schema/build-table.ts";
import { emitTypes } from "../../../../deploy/schema/emit.ts";
import { emptyPackage, type GoPackage, parseGo } from "../../../../deploy/schema/parse-go.ts";

const SOURCE = `
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Colour of a thing.
// +enum
type Colour string

const (
	Red  Colour = "Red"
	// Blue is the other.
	Blue Colour = "Blue"
)

type Labels map[string]string

/*
type Gone struct {
*/

// Thing is what this is about.
type Thing struct {
	metav1.TypeMeta \`json:",inline"\`
	// +optional
	metav1.ObjectMeta \`json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"\`

	Spec ThingSpec \`json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"\`
}

type ThingSpec struct {
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +listMapKey=kind
	Parts []Part \`json:"parts" protobuf:"bytes,1,rep,name=parts"\`
	// +default=ref(Red)
	Colour *Colour \`json:"colour,omitempty" protobuf:"bytes,2,opt,name=colour"\`
	Labels Labels \`json:"labels,omitempty" protobuf:"bytes,3,rep,name=labels"\`
	Source \`json:",inline" protobuf:"bytes,4,opt,name=source"\`
}

type Source struct {
	Data []byte \`json:"data,omitempty" protobuf:"bytes,7,opt,name=data"\`
}

type Part struct {
	Name string \`json:"name" protobuf:"bytes,1,opt,name=name"\`
}
`;

// The facts written by hand refer to ListMeta too.
const META = `
type ListMeta struct {
	Continue string \`json:"continue,omitempty" protobuf:"bytes,3,opt,name=continue"\`
}

type ObjectMeta struct {
	Name string \`json:"name,omitempty" protobuf:"bytes,1,opt,name=name"\`
}
`;

function parsed(source: string): GoPackage {
  const pkg = emptyPackage();
  parseGo(source, pkg);
  return pkg;
}

const packages = new Map([
  ["meta.v1", parsed(META)],
  ["things.v1", parsed(SOURCE)],
]);
const table = new TableBuilder("v0", packages).build();

/** What would be written: without the keys that have no value. */
function typeOf(name: string): unknown {
  return JSON.parse(JSON.stringify(table.types[name]));
}

test("schema: facts of fields are read from tags and markers", () => {
  expect(typeOf("things.v1.Thing")).toEqual({
    fields: {
      metadata: { type: "meta.v1.ObjectMeta", num: [1], omitEmpty: true },
      spec: { type: "things.v1.ThingSpec", num: [2], omitEmpty: true },
    },
    object: true,
  });
  expect(typeOf("things.v1.ThingSpec")).toEqual({
    fields: {
      parts: {
        type: "things.v1.Part",
        of: "list",
        num: [1],
        required: true,
        mergeKey: "name",
        strategy: "merge",
        listType: "map",
        listKeys: ["name", "kind"],
      },
      colour: {
        type: "string",
        num: [2],
        omitEmpty: true,
        pointer: true,
        enum: "things.v1.Colour",
        default: "Red",
      },
      labels: { type: "string", of: "map", num: [3], omitEmpty: true },
      data: { type: "bytes", num: [4, 7], omitEmpty: true },
    },
  });
  expect(table.enums).toEqual({ "things.v1.Colour": ["Blue", "Red"] });
  expect(table.types["things.v1.Gone"]).toBeUndefined();
});

test("schema: a field that cannot be read stops the generator", () => {
  expect(() => parsed("type A struct {\n\tB func(int) string\n}\n")).toThrow(
    "cannot read the field",
  );
});

test("schema: types written in TypeScript require what decoding guarantees", () => {
  const source = emitTypes(table);
  expect(source).toContain('export type Colour = "Blue" | "Red";');
  expect(source).toContain(
    "export interface Thing {\n  apiVersion?: string;\n  kind?: string;\n  metadata: ObjectMeta;\n  spec: ThingSpec;\n}",
  );
  expect(source).toContain(
    "  parts: Part[];\n  colour?: Colour;\n  labels?: Record<string, string>;",
  );
  expect(source).toContain("export interface ObjectMeta {\n  name: string;\n}");
});
