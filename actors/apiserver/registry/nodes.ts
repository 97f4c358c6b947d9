/** Nodes: they register themselves, and only themselves (upstream's NodeRestriction admission). */

import { forbidden } from "../../../manifests/api-error.ts";
import type { Node } from "../../../manifests/index.ts";
import { nodeOf } from "../authn.ts";
import type { Hooks } from "./hooks.ts";

export const nodes: Hooks<Node> = {
  statusOnCreate: true,

  admit(node, old, { user }) {
    const own = nodeOf(user.name);
    const { name } = node.metadata;
    if (old === undefined && own !== undefined && own !== name) {
      const why = `node "${own}" is not allowed to create node "${name}"`;
      throw forbidden({ group: "", resource: "nodes" }, name ?? "", why);
    }
    return node;
  },
};
