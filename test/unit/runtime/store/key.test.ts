import fc from "fast-check";
import { expect, test } from "vitest";
import {
  namespacePrefix,
  objectKey,
  parseObjectKey,
  resourceOf,
  resourcePrefix,
} from "../../../../runtime/store/key.ts";

test("key: core and _ stand for the empty group and namespace", () => {
  expect(objectKey({ group: "", resource: "nodes", namespace: "", name: "a" })).toBe(
    "core.nodes._.a",
  );
});

test("key: dots and colons in a name stay within their token", () => {
  const key = objectKey({
    group: "rbac.authorization.k8s.io",
    resource: "clusterroles",
    namespace: "",
    name: "system:node",
  });
  expect(key).toBe("rbac=2Eauthorization=2Ek8s=2Eio.clusterroles._.system=3Anode");
});

test("key: any object's key is a legal subject and parses back", () => {
  fc.assert(
    fc.property(
      fc.record({
        group: fc.string({ unit: "grapheme" }).filter((group) => group !== "core"),
        resource: fc.string({ minLength: 1, unit: "grapheme" }),
        namespace: fc.string({ unit: "grapheme" }),
        name: fc.string({ minLength: 1, unit: "grapheme" }),
      }),
      (object) => {
        const key = objectKey(object);
        expect(key).toMatch(/^([A-Za-z0-9_=-]+\.){3}[A-Za-z0-9_=-]+$/);
        expect(parseObjectKey(key)).toEqual(object);
        expect(key.startsWith(resourcePrefix(object.group, object.resource))).toBe(true);
        const within = namespacePrefix(object.group, object.resource, object.namespace);
        expect(key.startsWith(within)).toBe(true);
        expect(resourceOf(key)).toBe(resourcePrefix(object.group, object.resource));
      },
    ),
  );
});

test("key: the store's own records are no object's", () => {
  expect(parseObjectKey("_fence")).toBeUndefined();
  expect(parseObjectKey("a.b.c.d.e")).toBeUndefined();
  expect(resourceOf("core.pods")).toBeUndefined();
});
