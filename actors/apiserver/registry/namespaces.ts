/** Namespaces: one stays until the namespace controller has emptied it and says so by /finalize. */

import type { Namespace } from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

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

  terminating: (namespace) => ({
    ...namespace,
    status: { ...namespace.status, phase: "Terminating" },
  }),

  held: ({ spec }) => (spec?.finalizers ?? []).length > 0,
};
