/**
 * Drops keys without a value, in place. An object that holds `undefined` has the JSON of one that does not, yet it is
 * not equal to it; so nothing in this room ever hands one out.
 */
export function defined<T extends object>(value: T): T {
  for (const key of Object.keys(value)) {
    if (value[key as keyof T] === undefined) delete value[key as keyof T];
  }
  return value;
}
