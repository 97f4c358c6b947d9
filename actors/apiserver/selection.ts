/**
 * Which objects of a resource a request is about: its label and field selectors as one predicate
 * over an object's columns.
 */

import { apiError } from "../../manifests/api-error.ts";
import {
  type FieldSelector,
  matchesFieldSelector,
  matchesSelector,
  parseFieldSelector,
  parseSelector,
  SelectorError,
} from "../../manifests/index.ts";
import type { Entry, Snapshot } from "../../runtime/store/store.ts";
import type { Columns } from "./objects.ts";
import { Pace, type PaceContext } from "./pace.ts";
import type { Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

export interface Selection {
  matches(columns: Columns): boolean;
  /** What each object that matches holds in these fields. */
  readonly exact: ReadonlyMap<string, string>;
}

/** Undefined when everything is meant, so that callers need not look at a thing. */
export function selectionOf(resource: Resource, request: ApiRequest): Selection | undefined {
  try {
    const labels = parseSelector(request.query.get("labelSelector") ?? "");
    const fields = fieldsOf(resource, request);
    if (labels.length === 0 && fields.length === 0) return undefined;
    // What else a custom kind's objects are selected by may change with its definition, and has no index.
    const equalities = fields.filter(
      ({ operator, field }) =>
        operator === "=" && (!resource.custom || field.startsWith("metadata.")),
    );
    return {
      exact: new Map(equalities.map(({ field, value }) => [field, value])),
      matches: (columns) =>
        matchesFieldSelector(fields, columns.fields) && matchesSelector(labels, columns.labels),
    };
  } catch (error) {
    throw apiError("BadRequest", error instanceof Error ? error.message : String(error));
  }
}

/** The entries of a snapshot that are meant, in key order and with turns for others between. */
export async function* selected(
  context: PaceContext,
  resource: Resource,
  selection: Selection | undefined,
  snapshot: Snapshot,
  after?: string,
): AsyncGenerator<Entry> {
  const { objects } = context;
  const pace = new Pace(context);
  for (const entry of snapshot.range(after)) {
    if (pace.due()) await context.turn();
    if (!selection || selection.matches(objects.columns(resource, entry.value))) yield entry;
  }
}

function fieldsOf({ kind, stored }: Resource, { query, name }: ApiRequest): FieldSelector {
  const asked = parseFieldSelector(kind, query.get("fieldSelector") ?? "", stored);
  // A get of one name by list or watch, as `kubectl get pod web -w` asks for it. Upstream, too,
  // makes a field selector of it; every kind's first field is its name.
  if (!name) return asked;
  const isNamed = asked.some((one) => one.field === "metadata.name" && one.value === name);
  if (asked.length > 0 && !isNamed) {
    throw new SelectorError("fieldSelector metadata.name doesn't match requested name");
  }
  return [...asked, { field: "metadata.name", at: 0, operator: "=", value: name }];
}
