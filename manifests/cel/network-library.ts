/** `url()`, `ip()` and `cidr()`. k8s: apiserver/pkg/cel/library/{urls,ip,cidr}.go. */

import type { Environment } from "@marcbachmann/cel-js";

class CelUrl {
  readonly url: URL;
  constructor(text: string) {
    // As Go's url.ParseRequestURI: absolute, or a path from the root.
    const absolute = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text);
    if (!absolute && !text.startsWith("/")) throw new Error(`URL parse error: ${text}`);
    this.url = absolute ? new URL(text) : new URL(text, "none://none");
  }
  get isPath(): boolean {
    return this.url.protocol === "none:";
  }
}

class CelIp {
  readonly family: 4 | 6;
  readonly value: bigint;
  constructor(family: 4 | 6, value: bigint) {
    this.family = family;
    this.value = value;
  }
  get bits(): number {
    return this.family === 4 ? 32 : 128;
  }
}

class CelCidr {
  readonly ip: CelIp;
  readonly length: number;
  constructor(ip: CelIp, length: number) {
    this.ip = ip;
    this.length = length;
  }
  holds(ip: CelIp): boolean {
    const shift = BigInt(this.ip.bits - this.length);
    return ip.family === this.ip.family && ip.value >> shift === this.ip.value >> shift;
  }
}

export function addNetwork(environment: Environment): void {
  addUrls(environment);
  addIps(environment);
  addCidrs(environment);
}

function addUrls(environment: Environment): void {
  const ofUrl = (name: string, read: (url: CelUrl) => string) =>
    environment.registerFunction(`kubernetes.URL.${name}(): string`, read);
  environment
    .registerType("kubernetes.URL", CelUrl)
    .registerFunction("url(string): kubernetes.URL", (text: string) => new CelUrl(text))
    .registerFunction("isURL(string): bool", (text: string) => holds(() => new CelUrl(text)))
    .registerFunction("kubernetes.URL.getQuery(): map<string, list<string>>", ({ url }: CelUrl) => {
      const query = new Map<string, string[]>();
      for (const [key, value] of url.searchParams)
        query.set(key, [...(query.get(key) ?? []), value]);
      return query;
    });
  ofUrl("getScheme", ({ url, isPath }) => (isPath ? "" : url.protocol.slice(0, -1)));
  ofUrl("getHost", ({ url, isPath }) => (isPath ? "" : url.host));
  ofUrl("getHostname", ({ url, isPath }) => (isPath ? "" : url.hostname.replace(/^\[|\]$/g, "")));
  ofUrl("getPort", ({ url }) => url.port);
  ofUrl("getEscapedPath", ({ url }) => url.pathname);
}

function addIps(environment: Environment): void {
  environment
    .registerType("net.IP", CelIp)
    .registerFunction("ip(string): net.IP", parseIp)
    .registerFunction("isIP(string): bool", (text: string) => holds(() => parseIp(text)))
    .registerFunction("net.IP.family(): int", (ip: CelIp) => BigInt(ip.family))
    .registerFunction("net.IP.isUnspecified(): bool", (ip: CelIp) => ip.value === 0n)
    .registerFunction("net.IP.isLoopback(): bool", (ip: CelIp) =>
      within(ip, "127.0.0.0/8", "::1/128"),
    )
    .registerFunction("net.IP.isLinkLocalMulticast(): bool", (ip: CelIp) =>
      within(ip, "224.0.0.0/24", "ff02::/16"),
    )
    .registerFunction("net.IP.isLinkLocalUnicast(): bool", (ip: CelIp) =>
      within(ip, "169.254.0.0/16", "fe80::/10"),
    )
    .registerFunction("net.IP.isGlobalUnicast(): bool", (ip: CelIp) => {
      const special = [
        ["127.0.0.0/8", "::1/128"],
        ["224.0.0.0/4", "ff00::/8"],
        ["169.254.0.0/16", "fe80::/10"],
        ["255.255.255.255/32", "::/128"],
      ] as const;
      return ip.value !== 0n && !special.some(([four, six]) => within(ip, four, six));
    })
    .registerOperator(
      "net.IP == net.IP",
      (a: CelIp, b: CelIp) => a.family === b.family && a.value === b.value,
    );
}

function addCidrs(environment: Environment): void {
  environment
    .registerType("net.CIDR", CelCidr)
    .registerFunction("cidr(string): net.CIDR", parseCidr)
    .registerFunction("isCIDR(string): bool", (text: string) => holds(() => parseCidr(text)))
    .registerFunction("net.CIDR.ip(): net.IP", (cidr: CelCidr) => cidr.ip)
    .registerFunction("net.CIDR.prefixLength(): int", (cidr: CelCidr) => BigInt(cidr.length))
    .registerFunction("net.CIDR.containsIP(net.IP): bool", (cidr: CelCidr, ip: CelIp) =>
      cidr.holds(ip),
    )
    .registerFunction("net.CIDR.containsIP(string): bool", (cidr: CelCidr, text: string) =>
      cidr.holds(parseIp(text)),
    )
    .registerFunction("net.CIDR.containsCIDR(net.CIDR): bool", containsCidr)
    .registerFunction("net.CIDR.containsCIDR(string): bool", (cidr: CelCidr, text: string) =>
      containsCidr(cidr, parseCidr(text)),
    )
    .registerFunction("net.CIDR.masked(): net.CIDR", ({ ip, length }: CelCidr) => {
      const shift = BigInt(ip.bits - length);
      return new CelCidr(new CelIp(ip.family, (ip.value >> shift) << shift), length);
    });
}

function containsCidr(outer: CelCidr, inner: CelCidr): boolean {
  return outer.length <= inner.length && outer.holds(inner.ip);
}

function within(ip: CelIp, four: string, six: string): boolean {
  return parseCidr(ip.family === 4 ? four : six).holds(ip);
}

function holds(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

function parseCidr(text: string): CelCidr {
  const [address = "", length = "", ...more] = text.split("/");
  const ip = parseIp(address);
  if (more.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > ip.bits) {
    throw new Error(`network address parse error during conversion from string: ${text}`);
  }
  return new CelCidr(ip, Number(length));
}

function parseIp(text: string): CelIp {
  const four = fourOf(text);
  if (four !== undefined) return new CelIp(4, four);
  const six = sixOf(text);
  if (six === undefined)
    throw new Error(`IP Address "${text}" parse error during conversion from string`);
  return new CelIp(6, six);
}

function fourOf(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function sixOf(text: string): bigint | undefined {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n);
}
