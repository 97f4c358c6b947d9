/**
 * NamespaceLifecycle: nothing begins to exist in a namespace that does not, or that is going, and
 * some namespaces never go. k8s: apiserver/pkg/admission/plugin/namespace/lifecycle.
 */

import { ApiError, notFound } from "../../../manifests/api-error.ts";
import { Namespace } from "../../../manifests/index.ts";
import { type Attributes, type Plugin, refused } from "./chain.ts";

const immortal = new Set(["default", "kube-system", "kube-public"]);

export const namespaceLifecycle: Plugin = {
  name: "NamespaceLifecycle",

  handles({ operation, resource, subresource }) {
    if (resource.kind === Namespace) return operation === "DELETE" && subresource === "";
    // Questions are answered anywhere; only what is stored needs a place.
    const stored = resource.kind.verbs.includes("get");
    return resource.kind.namespaced && stored && operation === "CREATE";
  },

  mutate(attributes, { reader }) {
    const { operation, namespace, name } = attributes;
    if (operation === "DELETE") {
      if (immortal.has(name)) throw refused(attributes, "this namespace may not be deleted");
      return undefined;
    }
    const found = reader.fetch(Namespace, "", namespace);
    if (found instanceof Promise) {
      return found.then((read) => assertLives(attributes, read));
    }
    return assertLives(attributes, found);
  },
};

function assertLives(attributes: Attributes, namespace: Namespace | undefined): undefined {
  const name = attributes.namespace;
  if (!namespace) throw notFound({ group: "", resource: "namespaces" }, name);
  if (!namespace.metadata.deletionTimestamp) return;
  const message = `namespace ${name} is being terminated`;
  const why = `unable to create new content in namespace ${name} because it is being terminated`;
  const error = refused(attributes, why);
  if (error instanceof ApiError) {
    const cause = { reason: "NamespaceTerminating", message, field: "metadata.namespace" };
    error.status.details = { ...error.status.details, causes: [cause] };
  }
  throw error;
}
