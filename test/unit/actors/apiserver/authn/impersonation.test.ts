import { describe, expect, test } from "vitest";
import { readImpersonation } from "../../../../../actors/apiserver/authn/impersonation.ts";

const check = { group: "", subresource: "", namespace: "", name: "" };

describe("impersonation", () => {
  test("impersonation: without headers nobody else is meant", () => {
    expect(readImpersonation({ "user-agent": "kubectl" })).toBeUndefined();
  });

  test("impersonation: user, groups, uid and extra, each to be allowed by itself", () => {
    const asked = readImpersonation({
      "impersonate-user": "jane",
      "impersonate-group": "dev, ops",
      "impersonate-uid": "1234",
      "impersonate-extra-acme.com%2fScopes": ["view", "edit"],
    });
    expect(asked?.user).toEqual({
      name: "jane",
      uid: "1234",
      groups: ["dev", "ops", "system:authenticated"],
      extra: { "acme.com/scopes": ["view", "edit"] },
    });
    const group = "authentication.k8s.io";
    expect(asked?.checks).toEqual([
      { ...check, resource: "users", name: "jane" },
      { ...check, resource: "groups", name: "dev" },
      { ...check, resource: "groups", name: "ops" },
      { ...check, group, resource: "userextras", subresource: "acme.com/scopes", name: "view" },
      { ...check, group, resource: "userextras", subresource: "acme.com/scopes", name: "edit" },
      { ...check, group, resource: "uids", name: "1234" },
    ]);
  });

  test("impersonation: a ServiceAccount brings its groups, nobody brings his", () => {
    const account = readImpersonation({ "impersonate-user": "system:serviceaccount:ci:bot" });
    expect(account?.user.groups).toEqual([
      "system:serviceaccounts",
      "system:serviceaccounts:ci",
      "system:authenticated",
    ]);
    expect(account?.checks).toEqual([
      { ...check, resource: "serviceaccounts", namespace: "ci", name: "bot" },
    ]);
    const nobody = readImpersonation({ "impersonate-user": "system:anonymous" });
    expect(nobody?.user.groups).toEqual(["system:unauthenticated"]);
  });

  test.each(["impersonate-group", "impersonate-uid", "impersonate-extra-a"])(
    "impersonation: %s without a user is a mistake",
    (header) => {
      expect(() => readImpersonation({ [header]: "x" })).toThrow("without impersonating a user");
    },
  );
});
