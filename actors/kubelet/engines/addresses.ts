/** Arithmetic on IPv4 networks. */

export interface Network4 {
  base: number;
  bits: number;
}

export function parseNetwork4(cidr: string): Network4 {
  const [address = "", bits = ""] = cidr.split("/");
  const parts = address.split(".").map(Number);
  const isAddress = parts.length === 4 && parts.every((part) => part >= 0 && part <= 255);
  const size = Number(bits);
  if (!isAddress || !(bits !== "" && size >= 0 && size <= 32)) {
    throw new Error(`"${cidr}" is not an IPv4 network`);
  }
  const value = parts.reduce((sum, part) => sum * 256 + part, 0);
  const count = 2 ** (32 - size);
  return { base: Math.floor(value / count) * count, bits: size };
}

export function addressAt(network: Network4, index: number): string {
  const value = network.base + index;
  return [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(value / unit) % 256).join(".");
}

export function addressCount(network: Network4): number {
  return 2 ** (32 - network.bits);
}
