/** Which objects of a resource a request is about: its label and field selectors as one predicate. */

import { apiError } from "../../manifests/api-error.ts";
import {
  type Kind,
  type KubeObject,
  matchesFieldSelector,
  matchesSelector,
  parseFieldSelector,
  parseSelector,
} from "../../manifests/index.ts";
import type { Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

export type Selector = (object: KubeObject) => boolean;

/** Undefined when everything is meant, so that callers need not parse a thing. */
export function selectorOf(resource: Resource, request: ApiRequest): Selector | undefined {
  const tests: Selector[] = [];
  const labels = request.query.get("labelSelector");
  const fields = request.query.get("fieldSelector");
  try {
    if (labels) tests.push(labelTest(labels));
    if (fields) tests.push(fieldTest(resource.stored, fields));
  } catch (error) {
    throw apiError("BadRequest", error instanceof Error ? error.message : String(error));
  }
  // A get of one name by list or watch, as `kubectl get pod web -w` asks for it.
  if (request.name) tests.push((object) => object.metadata.name === request.name);
  if (tests.length === 0) return undefined;
  return (object) => tests.every((test) => test(object));
}

function labelTest(text: string): Selector {
  const selector = parseSelector(text);
  return ({ metadata }) => matchesSelector(selector, metadata.labels ?? {});
}

function fieldTest(kind: Kind, text: string): Selector {
  const selector = parseFieldSelector(kind, text);
  return (object) => matchesFieldSelector(kind, selector, object);
}
