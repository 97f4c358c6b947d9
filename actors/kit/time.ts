/** Times as the API writes them. Pure: the clock is the caller's. */

/** metav1.Time: whole seconds. */
export function formatTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, -5)}Z`;
}

/** metav1.MicroTime: always six digits, of which the clock gives three. */
export function formatMicroTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("Z", "000Z");
}

/** Milliseconds since the Unix epoch; undefined for what is absent or not a time. */
export function parseTime(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const epochMs = Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
