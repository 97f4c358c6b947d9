/**
 * Differs from Kubernetes: inter-pod affinity and topology spread are not built yet. A pod for
 * which they are a must is not placed as if it had not said so: it waits, and is told why.
 */

import type { Plugin } from "../framework.ts";

export const unsupportedFields: Plugin = {
  name: "UnsupportedFields",
  helpedBy: [],
  refuse: ({ unsupportedFields: fields }) =>
    fields.length === 0 ? undefined : `${fields.join(", ")} not supported yet`,
};
