/** Holds the places of what `manifests/` is about to give: patches, printing, OpenAPI. To be deleted within the day. */

import type { Kind, KubeObject } from "../../manifests/index.ts";
export class PatchError extends Error {
  invalid = false;
}
export function applyJsonPatch(_c: unknown, _p: unknown): unknown {
  throw new PatchError("later");
}
export function applyMergePatch(c: unknown, p: unknown): unknown {
  if (typeof p !== "object" || p === null || Array.isArray(p)) return p;
  const out: Record<string, unknown> =
    typeof c === "object" && c !== null && !Array.isArray(c) ? { ...c } : {};
  for (const [k, v] of Object.entries(p)) {
    if (v === null) delete out[k];
    else out[k] = applyMergePatch(out[k], v);
  }
  return out;
}
export function applyStrategicMergePatch(_k: Kind, c: unknown, p: unknown): unknown {
  return applyMergePatch(c, p);
}
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
export function openapiIndex(): object {
  return { paths: {} };
}
export function openapiV3(_p: string): object | undefined {
  return undefined;
}
