/**
 * Checks of texts: names, labels, ports. Each returns what is wrong in upstream's words, nothing when all is well
 * (k8s:apimachinery/pkg/util/validation/validation.go).
 */
const DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_SUBDOMAIN = `${DNS_LABEL}(\\.${DNS_LABEL})*`;
const DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = `(${QUALIFIED})?`;
const CONFIG_KEY = "[-._a-zA-Z0-9]+";
const PERCENT = "[0-9]+%";

const whole = (pattern: string) => new RegExp(`^${pattern}$`);
const DNS_LABEL_RE = whole(DNS_LABEL);
const DNS_SUBDOMAIN_RE = whole(DNS_SUBDOMAIN);
const DNS_1035_RE = whole(DNS_1035);
const QUALIFIED_RE = whole(QUALIFIED);
const LABEL_VALUE_RE = whole(LABEL_VALUE);
const CONFIG_KEY_RE = whole(CONFIG_KEY);
const PERCENT_RE = whole(PERCENT);

const QUALIFIED_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

function regexMessage(rule: string, pattern: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}'`).join(",  or ");
  return `${rule} (e.g. ${shown}, regex used for validation is '${pattern}')`;
}

function tooLong(length: number): string {
  return `must be no more than ${length} characters`;
}

/** A check may be told that the text is only the beginning of a name, to which characters will be added. */
export type NameCheck = (name: string, isPrefix: boolean) => string[];

export function dnsLabel(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  if (DNS_LABEL_RE.test(value)) return faults;
  if (DNS_SUBDOMAIN_RE.test(value)) return [...faults, "must not contain dots"];
  const rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...faults, regexMessage(rule, DNS_LABEL, "my-name", "123-abc")];
}

export function dnsSubdomain(value: string): string[] {
  const faults = value.length > 253 ? [tooLong(253)] : [];
  if (DNS_SUBDOMAIN_RE.test(value)) return faults;
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  return [...faults, regexMessage(rule, DNS_SUBDOMAIN, "example.com")];
}

export function dns1035Label(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  if (DNS_1035_RE.test(value)) return faults;
  const rule =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
  return [...faults, regexMessage(rule, DNS_1035, "my-name", "abc-123")];
}

export function wildcardDnsSubdomain(value: string): string[] {
  const pattern = `\\*\\.${DNS_SUBDOMAIN}`;
  const faults = value.length > 253 ? [tooLong(253)] : [];
  if (new RegExp(`^${pattern}$`).test(value)) return faults;
  const rule =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
  return [...faults, regexMessage(rule, pattern, "*.example.com")];
}

/** At least this many labels: `example.com` has two. */
export function domainName(value: string, least: number): string[] {
  const faults = dnsSubdomain(value);
  if (faults.length > 0 || value.split(".").length >= least) return faults;
  const words = ["", "", "two", "three"];
  return [`should be a domain with at least ${words[least]} segments separated by dots`];
}

export function httpHeaderName(value: string): string[] {
  const pattern = "[-A-Za-z0-9]+";
  if (new RegExp(`^${pattern}$`).test(value)) return [];
  const rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return [regexMessage(rule, pattern, "X-Header-Name")];
}

/** The name of a CSI driver: a DNS subdomain whose letters may be of either case, no longer than a label. */
export function driverName(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  return [...faults, ...dnsSubdomain(value.toLowerCase())];
}

export function cIdentifier(value: string): string[] {
  const pattern = "[A-Za-z_][A-Za-z0-9_]*";
  if (new RegExp(`^${pattern}$`).test(value)) return [];
  const rule =
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'";
  return [regexMessage(rule, pattern, "my_name", "MY_NAME", "MyName")];
}

/** What may stand as one segment of a URL's path (k8s:apimachinery/pkg/api/validation/path/name.go). */
export function pathSegment(value: string, isPrefix = false): string[] {
  if (!isPrefix && (value === "." || value === "..")) return [`may not be '${value}'`];
  return ["/", "%"].filter((c) => value.includes(c)).map((c) => `may not contain '${c}'`);
}

/** A hyphen at the end of a prefix is well, for more will follow. */
export function nameCheck(check: (value: string) => string[]): NameCheck {
  return (name, isPrefix) =>
    check(isPrefix && name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name);
}

/** A key of labels and annotations, a finalizer: `name` or `example.com/name`. */
export function qualifiedName(value: string): string[] {
  const parts = value.split("/");
  const message = regexMessage(QUALIFIED_RULE, QUALIFIED, "MyName", "my.name", "123-abc");
  if (parts.length > 2) {
    const hint = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    return [`a qualified name ${message} ${hint}`];
  }
  const name = parts.at(-1) ?? "";
  const faults: string[] = [];
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    const wrong = prefix === "" ? ["must be non-empty"] : dnsSubdomain(prefix);
    faults.push(...wrong.map((fault) => `prefix part ${fault}`));
  }
  if (name === "") faults.push("name part must be non-empty");
  else if (name.length > 63) faults.push(`name part ${tooLong(63)}`);
  if (!QUALIFIED_RE.test(name)) faults.push(`name part ${message}`);
  return faults;
}

export function labelValue(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  if (LABEL_VALUE_RE.test(value)) return faults;
  const rule = `a valid label must be an empty string or consist of ${QUALIFIED_RULE.slice("must consist of ".length)}`;
  return [...faults, regexMessage(rule, LABEL_VALUE, "MyValue", "my_value", "12345")];
}

/** A key of a ConfigMap or Secret, which becomes the name of a file. */
export function configKey(value: string): string[] {
  const faults = value.length > 253 ? [tooLong(253)] : [];
  if (!CONFIG_KEY_RE.test(value)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    faults.push(regexMessage(rule, CONFIG_KEY, "key.name", "KEY_NAME", "key-name"));
  }
  if (value === "." || value === "..") faults.push(`must not be '${value}'`);
  else if (value.startsWith("..")) faults.push("must not start with '..'");
  return faults;
}

export function environmentName(value: string): string[] {
  if (value === "") return ["environment variable name must be non-empty"];
  if (/^[\x20-\x3c\x3e-\x7e]+$/.test(value)) return [];
  return [
    "a valid environment variable name must consist only of printable ASCII characters other than '='",
  ];
}

export function inRange(value: number, low: number, high: number): string[] {
  if (value >= low && value <= high) return [];
  return [`must be between ${low} and ${high}, inclusive`];
}

export function portNumber(value: number): string[] {
  return inRange(value, 1, 65535);
}

export function portName(value: string): string[] {
  const faults: string[] = [];
  if (value.length > 15) faults.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    faults.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(value)) faults.push("must contain at least one letter (a-z)");
  if (value.includes("--")) faults.push("must not contain consecutive hyphens");
  if (/^-|-$/.test(value)) faults.push("must not begin or end with a hyphen");
  return faults;
}

/** A port given by number or by name. */
export function portReference(value: number | string): string[] {
  return typeof value === "number" ? portNumber(value) : portName(value);
}

export function percent(value: string): string[] {
  if (PERCENT_RE.test(value)) return [];
  const rule = "a valid percent string must be a numeric string followed by an ending '%'";
  return [regexMessage(rule, PERCENT, "1%", "93%")];
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

export function isIPv4(value: string): boolean {
  return IPV4.test(value);
}

export function isIPv6(value: string): boolean {
  if (!value.includes(":") || !/^[0-9a-fA-F:.]+$/.test(value)) return false;
  return URL.canParse(`http://[${value}]/`);
}

/** Go parses no zone, no leading zeros, and a prefix no longer than the address. */
export function isCidr(value: string): boolean {
  const [, address = "", bits = ""] = /^(.+)\/(\d{1,3})$/.exec(value) ?? [];
  if (/^0\d/.test(bits)) return false;
  return isIPv4(address) ? Number(bits) <= 32 : isIPv6(address) && Number(bits) <= 128;
}

export function cidr(value: string): string[] {
  if (isCidr(value)) return [];
  return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"];
}

export function ipAddress(value: string): string[] {
  if (isIPv4(value) || isIPv6(value)) return [];
  return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"];
}
