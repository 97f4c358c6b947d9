/** Taints and the tolerations that answer them; after k8s:component-helpers toleration.go. */

import type { Taint, Toleration } from "../schema/types.generated.ts";

export function tolerates(
  tolerations: readonly Toleration[],
  taint: Pick<Taint, "key" | "value" | "effect">,
): boolean {
  return tolerations.some((toleration) => toleratesTaint(toleration, taint));
}

/** An empty effect stands for all effects, an empty key with `Exists` for all keys. */
export function toleratesTaint(
  { key, operator, value, effect }: Toleration,
  taint: Pick<Taint, "key" | "value" | "effect">,
): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  if (operator === "Exists") return true;
  if (operator && operator !== "Equal") return false;
  return (value ?? "") === (taint.value ?? "");
}
