/** Namespaces: one stays until the namespace controller has emptied it and says so by /finalize. */

import { forbidden } from "../../../manifests/api-error.ts";
import type { Namespace } from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

/** Upstream's NamespaceLifecycle admission protects these for ever. */
const immortal = new Set(["default", "kube-system", "kube-public"]);
const nameLabel = "kubernetes.io/metadata.name";

export const namespaces: Hooks<Namespace> = {
  prepareCreate(namespace) {
    const finalizers = new Set(namespace.spec?.finalizers ?? []).add("kubernetes");
    return {
      ...namespace,
      spec: { ...namespace.spec, finalizers: [...finalizers] },
      status: { phase: "Active" },
    };
  },

  /** Only /finalize takes a finalizer away. */
  prepareUpdate(namespace, old, { subresource }) {
    if (subresource === "finalize") return namespace;
    return { ...namespace, spec: { ...namespace.spec, finalizers: old.spec?.finalizers } };
  },

  admit(namespace) {
    const { metadata } = namespace;
    const labels = { ...metadata.labels, [nameLabel]: metadata.name };
    return { ...namespace, metadata: { ...metadata, labels } } as Namespace;
  },

  checkDelete({ metadata }) {
    const name = metadata.name ?? "";
    if (!immortal.has(name)) return;
    throw forbidden(
      { group: "", resource: "namespaces" },
      name,
      "this namespace may not be deleted",
    );
  },

  terminating: (namespace) => ({
    ...namespace,
    status: { ...namespace.status, phase: "Terminating" },
  }),

  held: ({ spec }) => (spec?.finalizers ?? []).length > 0,
};
