/** What comes over the bus, as tests look at it. */

import type { BusMessage } from "../../runtime/bus.ts";

/** Whatever the JSON of a message holds. */
export function readJson<T = ReturnType<typeof JSON.parse>>({ data }: Pick<BusMessage, "data">): T {
  return JSON.parse(new TextDecoder().decode(data));
}
