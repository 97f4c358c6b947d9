/** IPv4 ranges: parsing, overlap, and whether the machine already routes one elsewhere. */

export interface Cidr {
  readonly text: string;
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** Undefined unless the text is a whole IPv4 range such as `10.244.0.0/16`. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (!match) return undefined;
  const octets = match.slice(1, 5).map(Number);
  const prefix = match[5] === undefined ? 32 : Number(match[5]);
  if (octets.some((octet) => octet > 255) || prefix > 32) return undefined;
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const size = 2 ** (32 - prefix);
  const first = address - (address % size);
  return { text, first, last: first + size - 1, prefix };
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  return one.first <= other.last && other.first <= one.last;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

export interface HostRoute {
  readonly dst: string;
  readonly dev?: string;
  /** `unreachable`, `blackhole`, …; absent for the usual ones. */
  readonly type?: string;
}

export interface CidrTrouble {
  readonly cidrs: readonly { readonly option: string; readonly cidr: Cidr }[];
  readonly routes: readonly HostRoute[];
  /** Routes that are this cluster's own, from an earlier run. */
  isOwn(route: HostRoute): boolean;
}

/** Says, by name, what is wrong with the ranges; empty when nothing is. */
export function computeCidrTrouble({ cidrs, routes, isOwn }: CidrTrouble): string[] {
  const trouble: string[] = [];
  for (const [index, { option, cidr }] of cidrs.entries()) {
    for (const other of cidrs.slice(index + 1)) {
      if (overlaps(cidr, other.cidr)) {
        trouble.push(`${option} ${cidr.text} overlaps ${other.option} ${other.cidr.text}`);
      }
    }
    for (const route of routes) {
      const range = parseCidr(route.dst);
      if (!range || range.prefix === 0 || isOwn(route)) continue;
      if (!overlaps(cidr, range)) continue;
      const where = route.dev ? `${route.dst} dev ${route.dev}` : route.dst;
      trouble.push(`${option} ${cidr.text} overlaps the host route ${where}`);
    }
  }
  return trouble;
}
