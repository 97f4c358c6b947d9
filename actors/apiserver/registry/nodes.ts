/** Nodes: the one kind whose creator says its status, for it registers itself. */

import type { Node } from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

export const nodes: Hooks<Node> = { statusOnCreate: true };
