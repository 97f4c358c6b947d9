/** A number, or a share of one: `3` or `25%` (k8s:apimachinery/pkg/util/intstr). */
export function isPercent(value: number | string): boolean {
  return typeof value === "string" && /^\d+%$/.test(value);
}

/** The number that the value stands for, of a total; a text that is not a percentage counts as none. */
export function percentOf(
  value: number | string | undefined,
  total: number,
  round: "up" | "down",
): number {
  if (value === undefined) return 0;
  if (typeof value === "number") return value;
  if (!isPercent(value)) return 0;
  const exact = (Number.parseInt(value, 10) * total) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
