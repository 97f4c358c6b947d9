/** Namespaces: one stays until the namespace controller has emptied it and says so by /finalize. */

import type { Namespace } from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

const nameLabel = "kubernetes.io/metadata.name";

export const namespaces: Hooks<Namespace> = {
  prepareCreate(namespace) {
    const finalizers = new Set(namespace.spec?.finalizers ?? []).add("kubernetes");
    return {
      ...withNameLabel(namespace),
      spec: { ...namespace.spec, finalizers: [...finalizers] },
      status: { phase: "Active" },
    };
  },

  /** Only /finalize takes a finalizer away. */
  prepareUpdate(namespace, old, { subresource }) {
    const labelled = withNameLabel(namespace);
    if (subresource === "finalize") return labelled;
    return { ...labelled, spec: { ...namespace.spec, finalizers: old.spec?.finalizers } };
  },

  terminating: (namespace) => ({
    ...namespace,
    status: { ...namespace.status, phase: "Terminating" },
  }),

  held: ({ spec }) => (spec?.finalizers ?? []).length > 0,
};

/** So that selectors can name a namespace (k8s: core/v1/defaults.go, SetDefaults_Namespace). */
function withNameLabel(namespace: Namespace): Namespace {
  const { metadata } = namespace;
  const labels = { ...metadata.labels, [nameLabel]: metadata.name ?? "" };
  return { ...namespace, metadata: { ...metadata, labels } };
}
