/** Which object of a kind is marked as the default one. */

import type { KubeObject } from "../../../manifests/index.ts";

/** The newest one that carries a mark; of those made in one second the first by name. */
export function defaultOf<T extends KubeObject>(
  objects: readonly T[],
  marks: readonly string[],
): T | undefined {
  const marked = objects.filter(({ metadata: { annotations = {} } }) =>
    marks.some((mark) => annotations[mark] === "true"),
  );
  const bornAt = ({ metadata }: T) => Date.parse(metadata.creationTimestamp ?? "") || 0;
  return marked.sort(
    (a, b) => bornAt(b) - bornAt(a) || (String(a.metadata.name) < String(b.metadata.name) ? -1 : 1),
  )[0];
}
