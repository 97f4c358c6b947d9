import type { Backend, Frontend, Frontends } from "./tracker.ts";

/**
 * Renders frontends as nftables commands. Pure; `actors/proxy/README.md` has the packet's path.
 *
 * The shape is flat: two maps hold all Services, so that one more endpoint costs a few elements
 * in one transaction however many Services there are. Upstream's shape, a chain for each Service
 * and endpoint, took 68 s to load 10,000 Services; this one takes half a second.
 *
 *     services   address . protocol . port          -> goto random-<n> or sticky-<n>
 *     endpoints  address . protocol . port . mark   -> address . port
 *     random-<n> mark := one of n, then DNAT to what `endpoints` says
 *
 * The choice travels in the packet's mark because nft 1.0.6 can neither concatenate a random
 * number with a plainly typed map nor add a rule to a `typeof` map that it did not just make.
 */
export interface ProxyConfig {
  /** nftables table, of family ip, that is ours alone. */
  table: string;
  serviceCidr: string;
  podCidr: string;
}

/** Base of the marks: "WH" in the upper half keeps clear of what others put there. */
const MARK = 0x57480000;

/** Everything, from nothing or over what is there: one transaction that replaces the table. */
export function renderAll(config: ProxyConfig, frontends: Frontends): string {
  const { table } = config;
  return [
    `table ip ${table} {}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    "  map services { type ipv4_addr . inet_proto . inet_service : verdict; }",
    "  map endpoints { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }",
    "  set hairpins { type ipv4_addr . ipv4_addr; }",
    ...hooks(config),
    "}",
    renderChange(config, new Map(), frontends),
  ].join("\n");
}

function hooks({ serviceCidr, podCidr }: ProxyConfig): string[] {
  const dispatch = `ip daddr ${serviceCidr} ip daddr . meta l4proto . th dport vmap @services`;
  const outside = `ip daddr != ${podCidr} ip daddr != ${serviceCidr}`;
  const refuse = (protocol: string, answer: string) =>
    `ip daddr ${serviceCidr} ${protocol} reject with ${answer};`;
  const refused = `${refuse("meta l4proto tcp", "tcp reset")} ${refuse("", "icmp port-unreachable")}`;
  return [
    `  chain prerouting { type nat hook prerouting priority dstnat; ${dispatch}; }`,
    `  chain output { type nat hook output priority -100; ${dispatch}; }`,
    "  chain postrouting {",
    "    type nat hook postrouting priority srcnat;",
    "    ct status dnat ip saddr . ip daddr @hairpins masquerade",
    `    ip saddr ${podCidr} ${outside} masquerade`,
    "  }",
    `  chain forward-filter { type filter hook forward priority filter; ${refused} }`,
    `  chain output-filter { type filter hook output priority filter; ${refused} }`,
  ];
}

/** The commands that turn the table of `before` into that of `after`; empty when they are equal. */
export function renderChange(config: ProxyConfig, before: Frontends, after: Frontends): string {
  const removed: Elements = { services: [], endpoints: [], hairpins: [] };
  const added: Elements = { services: [], endpoints: [], hairpins: [] };
  for (const [key, old] of before) {
    const next = after.get(key);
    if (next !== old) compare(old, next, removed);
  }
  for (const [key, next] of after) {
    const old = before.get(key);
    if (next !== old) compare(next, old, added);
  }
  const [addressesBefore, addressesAfter] = [backendAddresses(before), backendAddresses(after)];
  removed.hairpins = difference(addressesBefore, addressesAfter).map(hairpin);
  added.hairpins = difference(addressesAfter, addressesBefore).map(hairpin);
  const [chainsBefore, chainsAfter] = [chainsOf(before), chainsOf(after)];
  return [
    ...difference(chainsAfter, chainsBefore).map((chain) => renderChain(config, chain)),
    ...renderElements(config, "delete", removed),
    ...renderElements(config, "add", added),
    ...difference(chainsBefore, chainsAfter).flatMap((chain) => [
      `flush chain ip ${config.table} ${chain}`,
      `delete chain ip ${config.table} ${chain}`,
    ]),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

interface Elements {
  services: string[];
  endpoints: string[];
  hairpins: string[];
}

/** Puts into `changed` what `mine` has and `other` lacks or has differently. */
function compare(mine: Frontend, other: Frontend | undefined, changed: Elements): void {
  const key = `${mine.address} . ${mine.protocol} . ${mine.port}`;
  const chain = chainOf(mine);
  if (chain && (!other || chainOf(other) !== chain)) {
    changed.services.push(`${key} : goto ${chain}`);
  }
  mine.endpoints.forEach((endpoint, index) => {
    const counterpart = other?.endpoints[index];
    if (counterpart && target(counterpart) === target(endpoint)) return;
    changed.endpoints.push(`${key} . ${mark(index)} : ${target(endpoint)}`);
  });
}

function renderElements(
  { table }: ProxyConfig,
  verb: "add" | "delete",
  elements: Elements,
): string[] {
  const names = ["services", "endpoints", "hairpins"] as const;
  return names
    .filter((name) => elements[name].length > 0)
    .map((name) => {
      // A deletion names keys only.
      const list = elements[name].map((element) =>
        verb === "delete" ? element.replace(/ : .*/, "") : element,
      );
      return `${verb} element ip ${table} ${name} { ${list.join(", ")} }`;
    });
}

function renderChain({ table }: ProxyConfig, chain: string): string {
  const [kind, count] = chain.split("-");
  const choice = kind === "sticky" ? "jhash ip saddr" : "numgen random";
  const seed = kind === "sticky" ? " seed 0x5748" : "";
  const mark = `meta mark set ${choice} mod ${count}${seed} offset ${MARK}`;
  const dnat = "dnat ip to ip daddr . meta l4proto . th dport . meta mark map @endpoints";
  return [
    `add chain ip ${table} ${chain}`,
    `add rule ip ${table} ${chain} meta l4proto { tcp, udp, sctp } ${mark} ${dnat}`,
  ].join("\n");
}

/** Undefined without endpoints: the packet then meets the `reject` of the filter chains. */
function chainOf({ endpoints, sticky }: Frontend): string | undefined {
  if (endpoints.length === 0) return undefined;
  return `${sticky ? "sticky" : "random"}-${endpoints.length}`;
}

function chainsOf(frontends: Frontends): Set<string> {
  const chains = new Set<string>();
  for (const frontend of frontends.values()) {
    const chain = chainOf(frontend);
    if (chain) chains.add(chain);
  }
  return chains;
}

function backendAddresses(frontends: Frontends): Set<string> {
  const addresses = new Set<string>();
  for (const { endpoints } of frontends.values()) {
    for (const { address } of endpoints) addresses.add(address);
  }
  return addresses;
}

function difference(these: ReadonlySet<string>, those: ReadonlySet<string>): string[] {
  return [...these].filter((element) => !those.has(element));
}

function target({ address, port }: Backend): string {
  return `${address} . ${port}`;
}

function hairpin(address: string): string {
  return `${address} . ${address}`;
}

function mark(index: number): string {
  return `0x${(MARK + index).toString(16)}`;
}
