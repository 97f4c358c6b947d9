/** NodeRestriction: a node registers itself, and only itself. k8s: plugin/pkg/admission/noderestriction. */

import { Node } from "../../../manifests/index.ts";
import { nodeOf } from "../authn.ts";
import { concerns, type Plugin, refused } from "./chain.ts";

export const nodeRestriction: Plugin = {
  name: "NodeRestriction",
  handles: (target) => concerns(target, [Node], "CREATE"),
  validate(attributes) {
    const own = nodeOf(attributes.user.name);
    if (own === undefined || own === attributes.name) return;
    const why = `node "${own}" is not allowed to create node "${attributes.name}"`;
    throw refused(attributes, why);
  },
};
