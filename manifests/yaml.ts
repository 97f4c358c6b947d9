/**
 * Reads and writes manifests: YAML (any number of documents) or JSON.
 *
 * The scalars are those of YAML 1.1 as Go's library reads them, because that is what every manifest in the world was
 * tried against: `yes` and `off` are booleans and `0777` is octal; but no base-60 numbers and no timestamps. What is
 * written quotes every string that either version of YAML would read as something else.
 */
import {
  type Document,
  isScalar,
  parseAllDocuments,
  type Scalar,
  type ScalarTag,
  stringify,
  type Tags,
  visit,
} from "yaml";

/** The text is not YAML or JSON, or is not safe to expand; `message` names the line. */
export class SyntaxFault extends Error {
  override name = "SyntaxFault";
}

/** An alias may stand for much, and aliases for aliases for the whole memory: upstream's parser has a limit too. */
const MAX_ALIASES = 100;

const BOOL = "tag:yaml.org,2002:bool";
const INT = "tag:yaml.org,2002:int";
const FLOAT = "tag:yaml.org,2002:float";

const booleanTag: ScalarTag = {
  default: true,
  tag: BOOL,
  identify: (value) => typeof value === "boolean",
  test: /^(?:[yYnN]|[yY]es|YES|[nN]o|NO|[tT]rue|TRUE|[fF]alse|FALSE|[oO]n|ON|[oO]ff|OFF)$/,
  resolve: (text) => /^(?:[yY]|[tT]|on|On|ON)/.test(text),
  stringify: (item: Scalar) => String(item.value),
};

const intTag: ScalarTag = {
  default: true,
  tag: INT,
  identify: (value) => typeof value === "number" && Number.isInteger(value),
  test: /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$/,
  resolve: (text) => parseInteger(text.replaceAll("_", "")),
  stringify: (item: Scalar) => String(item.value),
};

const floatTag: ScalarTag = {
  default: true,
  tag: FLOAT,
  identify: (value) => typeof value === "number",
  test: /^[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/,
  resolve: (text) => Number(text.replaceAll("_", "")),
  stringify: (item: Scalar) => String(item.value),
};

function parseInteger(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[-+]/, "");
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8);
  return sign * Number(digits);
}

function tagSet(base: Tags): Tags {
  const replaced = new Set([BOOL, INT, FLOAT]);
  const kept = base.filter((tag) => typeof tag === "string" || !replaced.has(tag.tag));
  return [...kept, booleanTag, intTag, floatTag];
}

const OPTIONS = {
  version: "1.2",
  schema: "core",
  customTags: tagSet,
  merge: true,
  // Checked here: the library compares each key with every other one.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: "silent",
} as const;

/** The documents of a text, empty ones left out. Throws SyntaxFault. */
export function parseManifests(text: string): unknown[] {
  const parsed = within(() => parseAllDocuments(text, OPTIONS));
  const values: unknown[] = [];
  for (const document of parsed) {
    const fault = document.errors[0];
    if (fault?.message.includes("call stack")) throw tooDeep(fault);
    if (fault) throw new SyntaxFault(describe(text, fault.pos[0], fault.message), { cause: fault });
    assertUniqueKeys(text, document);
    const value = expand(() => document.toJS({ maxAliasCount: MAX_ALIASES }));
    if (value !== null && value !== undefined) values.push(value);
  }
  return values;
}

/**
 * A document of a million values takes the parser ten seconds in which nobody else is served. No manifest comes near
 * this. Differs from Kubernetes: there only the size is limited.
 */
const MAX_NODES = 250_000;

/** One document, as an API server takes it. Throws SyntaxFault. */
export function parseYaml(text: string): unknown {
  let nodes = 0;
  for (const _mark of text.matchAll(/[\n,:[{]/g)) nodes++;
  if (nodes > MAX_NODES) throw new SyntaxFault("yaml: the document has too many values: send JSON");
  const values = parseManifests(text);
  if (values.length > 1) throw new SyntaxFault("expected one document, found several");
  return values[0];
}

/** What is nested so deeply that the parser's stack ends is no document. */
function within<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw tooDeep(error);
  }
}

function tooDeep(cause: unknown): SyntaxFault {
  return new SyntaxFault("yaml: exceeded max depth", { cause });
}

/** As Go's library words it. */
function assertUniqueKeys(text: string, document: Document): void {
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === "<<") continue;
        if (seen.has(key.value)) {
          const message = `key ${JSON.stringify(key.value)} already set in map`;
          throw new SyntaxFault(describe(text, key.range?.[0] ?? 0, message));
        }
        seen.add(key.value);
      }
    },
  });
}

function expand(toJs: () => unknown): unknown {
  try {
    return toJs();
  } catch (error) {
    throw new SyntaxFault("yaml: document contains excessive aliasing", { cause: error });
  }
}

function describe(text: string, offset: number, message: string): string {
  const line = text.slice(0, offset).split("\n").length;
  const first = message.split("\n")[0] ?? "";
  return `error converting YAML to JSON: yaml: line ${line}: ${first}`;
}

export function stringifyYaml(value: unknown): string {
  return stringify(value, {
    version: "1.2",
    schema: "core",
    customTags: tagSet,
    compat: "yaml-1.1",
    aliasDuplicateObjects: false,
    lineWidth: 0,
    indentSeq: false,
  });
}

/** JSON, with the words upstream uses. Throws SyntaxFault. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SyntaxFault(`invalid JSON: ${reason}`, { cause: error });
  }
}
