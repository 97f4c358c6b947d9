/**
 * Reads the structs of one Go API package: fields, JSON tags, comment markers and protobuf numbers.
 *
 * Not a Go parser: it knows the regular shape that Kubernetes' API types keep to (one field on a line, markers
 * in the comment above it), and throws on a field line that it does not understand rather than dropping it.
 */
export interface GoField {
  goName: string;
  goType: string;
  /** Undefined for an embedded struct without a JSON name of its own. */
  jsonName?: string;
  inline: boolean;
  omitEmpty: boolean;
  protobuf?: number;
  markers: Map<string, string[]>;
}

export interface GoStruct {
  name: string;
  fields: GoField[];
  /** Of the type itself. */
  markers: Map<string, string[]>;
}

export interface GoPackage {
  structs: Map<string, GoStruct>;
  /** `type Name Underlying` and `type Name = Underlying`. */
  aliases: Map<string, string>;
  /** Names of the types marked `+enum`. */
  enums: Set<string>;
  constants: { name: string; type: string; value: string }[];
  /** Import names to the last two parts of the path: `v1` to `core.v1`. */
  imports: Map<string, string>;
}

const FIELD = /^\t(?:(\w+)\s+)?((?:[*\w.[\]]|\{\})+)(?:\s+`([^`]*)`)?(?:\s*\/\/.*)?$/;

export function emptyPackage(): GoPackage {
  return {
    structs: new Map(),
    aliases: new Map(),
    enums: new Set(),
    constants: [],
    imports: new Map(),
  };
}

export function parseGo(source: string, into: GoPackage): void {
  let comment: string[] = [];
  let current: GoStruct | undefined;
  for (const line of source.replace(/\/\*[\s\S]*?\*\//g, "").split("\n")) {
    const text = line.trim();
    if (text.startsWith("//")) {
      comment.push(text.slice(2).trim());
      continue;
    }
    if (current) {
      if (line.startsWith("}")) current = undefined;
      else if (text !== "") current.fields.push(parseField(line, current.name, comment));
      comment = [];
      continue;
    }
    current = parseTopLevel(line, comment, into);
    comment = text === "" ? keepMarkers(comment) : [];
  }
}

/** A blank line between markers and the doc comment of a type is usual, so markers survive it. */
function keepMarkers(comment: string[]): string[] {
  return comment.filter((line) => line.startsWith("+"));
}

function parseTopLevel(line: string, comment: string[], into: GoPackage): GoStruct | undefined {
  const struct = /^type (\w+) struct \{(\})?$/.exec(line);
  if (struct?.[1]) {
    const parsed = { name: struct[1], fields: [], markers: parseMarkers(comment) };
    into.structs.set(parsed.name, parsed);
    return struct[2] ? undefined : parsed;
  }
  const alias = /^type (\w+) =? ?([*\w.[\]]+)$/.exec(line);
  if (alias?.[1] && alias[2]) {
    into.aliases.set(alias[1], alias[2]);
    if (comment.includes("+enum")) into.enums.add(alias[1]);
  }
  const imported = /^(?:\t|import )(\w+) "k8s\.io\/.*?(\w+)\/(v\w+)"/.exec(line);
  if (imported?.[1]) into.imports.set(imported[1], `${imported[2]}.${imported[3]}`);
  const constant = /^(?:\t|const )(\w+)\s+(\w+)\s*=\s*"([^"]*)"/.exec(line);
  if (constant?.[1] && constant[2]) {
    into.constants.push({ name: constant[1], type: constant[2], value: constant[3] ?? "" });
  }
  return undefined;
}

function parseField(line: string, owner: string, comment: string[]): GoField {
  const match = FIELD.exec(line);
  if (!match?.[2]) throw new Error(`${owner}: cannot read the field ${JSON.stringify(line)}`);
  const tag = match[3] ?? "";
  const json = /json:"([^"]*)"/.exec(tag)?.[1] ?? "";
  const [jsonName = "", ...options] = json.split(",");
  const number = /protobuf:"\w+,(\d+)/.exec(tag)?.[1];
  return {
    goName: match[1] ?? match[2].replace(/^.*\./, ""),
    goType: match[2],
    jsonName: jsonName === "" ? undefined : jsonName,
    inline: options.includes("inline") || (json === "" && match[1] === undefined),
    omitEmpty: options.includes("omitempty"),
    protobuf: number ? Number(number) : undefined,
    markers: parseMarkers(comment),
  };
}

function parseMarkers(comment: string[]): Map<string, string[]> {
  const markers = new Map<string, string[]>();
  for (const line of comment) {
    const match = /^\+([\w:-]+)(?:=(.*))?$/.exec(line);
    if (!match?.[1]) continue;
    markers.set(match[1], [...(markers.get(match[1]) ?? []), match[2] ?? ""]);
  }
  return markers;
}
