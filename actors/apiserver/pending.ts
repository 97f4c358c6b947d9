/** Holds the places of what `manifests/` is about to give: patches, printing, OpenAPI. To be deleted within the day. */

import type { Kind, KubeObject } from "../../manifests/index.ts";
export function tableOf(
  _k: Kind,
  rows: readonly KubeObject[],
): { columnDefinitions: object[]; cells: unknown[][] } {
  return {
    columnDefinitions: [
      { name: "Name", type: "string", format: "name", description: "", priority: 0 },
    ],
    cells: rows.map((r) => [r.metadata.name]),
  };
}
