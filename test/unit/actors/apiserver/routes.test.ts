import { describe, expect, test } from "vitest";
import { routeOf } from "../../../../actors/apiserver/doors/routes.ts";

describe("routes", () => {
  const pods = { type: "resource", group: "", version: "v1", resource: "pods" };
  const cases: [string, string, object][] = [
    ["GET", "/api/v1/pods", { ...pods, verb: "list", namespace: "", name: "" }],
    ["GET", "/api/v1/pods?watch=true", { ...pods, verb: "watch" }],
    ["GET", "/api/v1/pods?watch=false", { ...pods, verb: "list" }],
    ["GET", "/api/v1/namespaces/a/pods/b", { ...pods, verb: "get", namespace: "a", name: "b" }],
    ["POST", "/api/v1/namespaces/a/pods", { ...pods, verb: "create", namespace: "a" }],
    ["PUT", "/api/v1/namespaces/a/pods/b/status", { verb: "update", subresource: "status" }],
    ["PATCH", "/api/v1/namespaces/a/pods/b", { verb: "patch" }],
    ["DELETE", "/api/v1/namespaces/a/pods/b", { verb: "delete" }],
    ["DELETE", "/api/v1/namespaces/a/pods", { verb: "deletecollection" }],
    [
      "GET",
      "/api/v1/namespaces/a",
      { verb: "get", resource: "namespaces", name: "a", namespace: "" },
    ],
    [
      "PUT",
      "/api/v1/namespaces/a/finalize",
      { resource: "namespaces", name: "a", subresource: "finalize" },
    ],
    ["GET", "/api/v1/namespaces/a/pods/b/proxy/x/y", { subresource: "proxy", rest: "x/y" }],
    ["GET", "/apis/apps/v1/deployments", { group: "apps", version: "v1", resource: "deployments" }],
    ["GET", "/api/v1/nodes/a%2Fb", { resource: "nodes", name: "a/b" }],
    ["GET", "/api/v1/nodes/%ZZ", { type: "unknown" }],
    ["GET", "/apis", { type: "discovery", path: "apis" }],
    ["GET", "/apis/apps/v1/", { type: "discovery", path: "apis/apps/v1" }],
    ["POST", "/apis/apps/v1", { type: "method" }],
    ["TRACE", "/api/v1/pods", { type: "method" }],
    ["GET", "/readyz/store-objects", { type: "health", check: "readyz", part: "store-objects" }],
    ["GET", "/openapi/v3/apis/apps/v1", { type: "openapi", path: "v3/apis/apps/v1" }],
    ["GET", "/", { type: "root" }],
    ["GET", "/logs", { type: "unknown" }],
    [
      "GET",
      "/api/v1/watch/namespaces/a/pods/b",
      { ...pods, verb: "watch", namespace: "a", name: "b" },
    ],
    ["GET", "/apis/apps/v1/watch/deployments", { verb: "watch", resource: "deployments" }],
    ["POST", "/api/v1/watch/pods", { type: "method" }],
    ["HEAD", "/api/v1/pods", { ...pods, verb: "list" }],
    ["OPTIONS", "/api/v1/pods", { type: "method" }],
  ];
  test.each(cases)("routes: %s %s", (method, target, expected) => {
    const [path = "", query = ""] = target.split("?");
    expect(routeOf(method, path, new URLSearchParams(query))).toMatchObject(expected);
  });
});
