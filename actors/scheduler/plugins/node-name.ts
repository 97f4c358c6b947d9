/** NodeName: a pod that names its node goes there or nowhere. */

import type { Plugin } from "../framework.ts";

export const nodeName: Plugin = {
  name: "NodeName",
  helpedBy: ["node-added"],
  needsFilter: (pod) => pod.nodeName !== "",
  filter: (pod, { node }) =>
    pod.nodeName === node.name ? undefined : ["node(s) didn't match the requested node name"],
};
