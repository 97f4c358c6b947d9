import { describe, expect, test } from "vitest";
import { listOptions, watchOptions } from "../../../../actors/apiserver/list-options.ts";
import type { ApiError } from "../../../../manifests/api-error.ts";

const queryOf = (text: string) => new URLSearchParams(text);
const all = Number.POSITIVE_INFINITY;

describe("list options", () => {
  const taken: [string, object][] = [
    ["", { limit: all, revision: undefined, isExact: false, token: "" }],
    ["limit=0", { limit: all }],
    ["limit=7", { limit: 7, isExact: false }],
    ["resourceVersion=0", { revision: 0, isExact: false }],
    ["resourceVersion=0&limit=7", { revision: 0, isExact: false }],
    ["resourceVersion=5", { revision: 5, isExact: false }],
    ["resourceVersion=5&limit=7", { revision: 5, isExact: true }],
    ["resourceVersion=5&limit=7&resourceVersionMatch=NotOlderThan", { isExact: false }],
    ["resourceVersion=5&resourceVersionMatch=Exact", { isExact: true }],
    ["resourceVersion=0&continue=x", { token: "x" }],
  ];
  test.each(taken)("list options: %s", (query, expected) => {
    expect(listOptions(queryOf(query))).toMatchObject(expected);
  });

  const refused: [string, number, string][] = [
    [
      "resourceVersionMatch=Exact",
      422,
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      "resourceVersionMatch=Exact&resourceVersion=0",
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    [
      "resourceVersionMatch=Sometimes&resourceVersion=1",
      422,
      'resourceVersionMatch: Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan", ""',
    ],
    [
      "resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=x",
      422,
      "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
    ],
    [
      "sendInitialEvents=true",
      422,
      "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
    ],
    [
      "resourceVersion=5&continue=x",
      400,
      "specifying resource version is not allowed when using continue",
    ],
    ["resourceVersion=x", 400, 'strconv.ParseUint: parsing "x": invalid syntax'],
    ["limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ];
  test.each(refused)("list options: %s is refused", (query, code, message) => {
    expect(refusalOf(() => listOptions(queryOf(query)))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

describe("watch options", () => {
  const initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  const taken: [string, object][] = [
    ["", { fromState: true, bookmarks: false, timeoutSeconds: undefined }],
    ["resourceVersion=0", { fromState: true }],
    ["resourceVersion=5&allowWatchBookmarks=1", { fromState: false, revision: 5, bookmarks: true }],
    [initial, { fromState: true }],
    [`${initial}&resourceVersion=5`, { fromState: true, revision: 5 }],
    ["sendInitialEvents=false&resourceVersionMatch=NotOlderThan", { fromState: false }],
    ["timeoutSeconds=9", { timeoutSeconds: 9 }],
  ];
  test.each(taken)("watch options: %s", (query, expected) => {
    expect(watchOptions(queryOf(query))).toMatchObject(expected);
  });

  const refused: [string, string][] = [
    [
      "sendInitialEvents=true",
      "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    ],
    [
      "resourceVersionMatch=NotOlderThan",
      "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    ],
    [
      "sendInitialEvents=true&resourceVersionMatch=Exact",
      'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"',
    ],
  ];
  test.each(refused)("watch options: %s is refused", (query, message) => {
    expect(refusalOf(() => watchOptions(queryOf(query)))).toMatchObject({
      code: 422,
      message: expect.stringContaining(message),
    });
  });
});

function refusalOf(act: () => unknown): ApiError | undefined {
  try {
    act();
  } catch (error) {
    return error as ApiError;
  }
  return undefined;
}
