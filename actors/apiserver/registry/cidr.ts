/** IPv4 ranges as `10.96.0.0/16`. */

import { assert } from "../../../runtime/errors.ts";

export interface Cidr {
  readonly text: string;
  readonly first: number;
  readonly size: number;
}

export function parseCidr(text: string): Cidr {
  const [address = "", bits = ""] = text.split("/");
  const base = parseAddress(address);
  const length = Number(bits);
  assert(base !== undefined && /^\d{1,2}$/.test(bits) && length <= 30, `Not a CIDR: ${text}`);
  const size = 2 ** (32 - length);
  return { text, first: Math.floor(base / size) * size, size };
}

/** Undefined for what is not four numbers from 0 to 255. */
function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  if (numbers.some((part) => part > 255)) return undefined;
  return numbers.reduce((sum, part) => sum * 256 + part, 0);
}

export function addressAt({ first }: Cidr, offset: number): string {
  const value = first + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** Neither the network's own address nor the broadcast one can be given away. */
export function contains({ first, size }: Cidr, text: string): boolean {
  const value = parseAddress(text);
  return value !== undefined && value > first && value < first + size - 1;
}
