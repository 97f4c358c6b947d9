/**
 * What a list or a watch asks for, and which of it cannot go together
 * (k8s:apimachinery/pkg/apis/meta/internalversion/validation ValidateListOptions).
 */

import { ApiError, type ApiStatus, apiError } from "../../manifests/api-error.ts";
import { FieldErrors, invalidStatus } from "../../manifests/index.ts";
import { parseResourceVersion } from "./freshness.ts";
import { booleanOption, numberOption } from "./request.ts";

export interface ListOptions {
  /** Infinite when there is none. */
  readonly limit: number;
  readonly token: string;
  /** Undefined: the newest; 0: any. */
  readonly revision: number | undefined;
  /** At that very revision, rather than at least at it. */
  readonly isExact: boolean;
}

export interface WatchOptions {
  readonly revision: number | undefined;
  /** Whether it begins with what is there. */
  readonly fromState: boolean;
  readonly bookmarks: boolean;
  readonly timeoutSeconds: number | undefined;
}

const exact = "Exact";
const notOlderThan = "NotOlderThan";

export function listOptions(query: URLSearchParams): ListOptions {
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const token = query.get("continue") ?? "";
  const errors = new FieldErrors();
  if (match) {
    const forbid = (why: string) => errors.forbidden("resourceVersionMatch", why);
    if (!version) forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (token) forbid("resourceVersionMatch is forbidden when continue is provided");
    if (match !== exact && match !== notOlderThan) {
      errors.notSupported("resourceVersionMatch", match, [exact, notOlderThan, ""]);
    }
    if (match === exact && version === "0") {
      forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (query.has("sendInitialEvents")) {
    errors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
  }
  assertGoTogether(errors);
  if (token && version && version !== "0") {
    const why = "specifying resource version is not allowed when using continue";
    throw apiError("BadRequest", why);
  }
  const limit = numberOption(query, "limit") ?? 0;
  const revision = parseResourceVersion(version);
  // A page at a revision is of that revision, unless it is said that a newer one will do.
  const isExact = Boolean(revision) && (match === exact || (match === "" && limit > 0));
  return { limit: limit > 0 ? limit : Number.POSITIVE_INFINITY, token, revision, isExact };
}

export function watchOptions(query: URLSearchParams): WatchOptions {
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const saysInitial = query.has("sendInitialEvents");
  const errors = new FieldErrors();
  const forbid = (why: string) => errors.forbidden("resourceVersionMatch", why);
  if (saysInitial && match !== notOlderThan) {
    forbid(`sendInitialEvents requires setting resourceVersionMatch to ${notOlderThan}`);
  }
  if (match) {
    if (!saysInitial) {
      forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    if (match !== notOlderThan) errors.notSupported("resourceVersionMatch", match, [notOlderThan]);
    if (query.get("continue")) {
      forbid("resourceVersionMatch is forbidden when continue is provided");
    }
  }
  assertGoTogether(errors);
  const revision = parseResourceVersion(version);
  return {
    revision,
    fromState: saysInitial ? booleanOption(query, "sendInitialEvents") : !revision,
    bookmarks: booleanOption(query, "allowWatchBookmarks"),
    timeoutSeconds: numberOption(query, "timeoutSeconds") || undefined,
  };
}

const listOptionsKind = { group: "meta.k8s.io", kind: "ListOptions" };

function assertGoTogether({ list }: FieldErrors): void {
  if (list.length > 0) throw new ApiError(invalidStatus(listOptionsKind, "", list) as ApiStatus);
}
