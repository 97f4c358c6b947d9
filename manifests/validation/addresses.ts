/** Addresses that cannot be anybody's but one's own (k8s:pkg/apis/core/validation, ValidateNonSpecialIP). */
import { isIPv4, isIPv6 } from "./formats.ts";

const UNSPECIFIED = new Set(["0.0.0.0", "::"]);

/** Empty for an address that other machines can reach, as far as its form tells. */
export function nonSpecialAddress(value: string): string[] {
  const address = isIPv6(value) ? new URL(`http://[${value}]/`).hostname.slice(1, -1) : value;
  const faults: string[] = [];
  if (UNSPECIFIED.has(address)) faults.push(`may not be unspecified (${value})`);
  if (address.startsWith("127.") || address === "::1") {
    faults.push("may not be in the loopback range (127.0.0.0/8, ::1/128)");
  }
  if (address.startsWith("169.254.") || /^fe[89ab]/.test(address)) {
    faults.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  }
  if (address.startsWith("224.0.0.") || address.startsWith("ff02:")) {
    faults.push("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  }
  return faults;
}

export function ipv4Address(value: string): string[] {
  return isIPv4(value) ? [] : ["must be a valid IPv4 address"];
}

export function ipv6Address(value: string): string[] {
  return isIPv6(value) ? [] : ["must be a valid IPv6 address"];
}

/** The address as a number, and how many bits it has. */
function bitsOf(address: string): { value: bigint; width: 32 | 128 } {
  if (isIPv4(address)) {
    const parts = address.split(".").map(BigInt);
    return { value: parts.reduce((sum, part) => (sum << 8n) | part, 0n), width: 32 };
  }
  const whole = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = whole.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const left = groups(head);
  const right = groups(tail ?? "");
  const zeros = tail === undefined ? [] : Array(8 - left.length - right.length).fill("0");
  const all = [...left, ...zeros, ...right].map((group) => BigInt(`0x${group}`));
  return { value: all.reduce((sum, part) => (sum << 16n) | part, 0n), width: 128 };
}

/** Whether the second range lies inside the first and is smaller. Both are well-formed. */
export function isStrictSubset(outer: string, inner: string): boolean {
  const [outerAddress = "", outerBits = ""] = outer.split("/");
  const [innerAddress = "", innerBits = ""] = inner.split("/");
  const [a, b] = [bitsOf(outerAddress), bitsOf(innerAddress)];
  if (a.width !== b.width || Number(innerBits) <= Number(outerBits)) return false;
  const shift = BigInt(a.width - Number(outerBits));
  return a.value >> shift === b.value >> shift;
}
