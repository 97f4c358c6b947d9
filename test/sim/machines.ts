/** What must be true of the machines at every moment, whatever the API was told of them. */

import type { SimEngine } from "../../actors/kubelet/engines/sim/index.ts";
import { InvariantError } from "./truth.ts";

/** One pod lives on one node, and of each of its containers at most one runs. */
export function checkMachines(engines: ReadonlyMap<string, SimEngine>): void {
  const nodeOf = new Map<string, string>();
  for (const [node, engine] of engines) {
    const { sandboxes, containers } = engine.running();
    for (const { uid, name } of sandboxes) {
      const other = nodeOf.get(uid);
      if (other !== undefined && other !== node)
        throw new InvariantError(`Pod ${name} (${uid}) runs on ${other} and on ${node}`);
      nodeOf.set(uid, node);
    }
    const podOf = new Map(sandboxes.map(({ id, uid }) => [id, uid]));
    const running = new Set<string>();
    for (const { sandbox, name } of containers) {
      const container = `${podOf.get(sandbox) ?? sandbox}/${name}`;
      if (running.has(container))
        throw new InvariantError(`Container ${container} runs twice on ${node}`);
      running.add(container);
    }
  }
}
