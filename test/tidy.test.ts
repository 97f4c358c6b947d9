/**
 * The rules of the house that a linter cannot hold: who may import whom, what an actor's header
 * says, how long things may be, and that nothing but an edge touches the world.
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { controllers } from "../actors/controllers/index.ts";
import type { Controller } from "../actors/kit/controller.ts";
import { kindId } from "../actors/kit/object.ts";
import type { Kind } from "../manifests/index.ts";

const root = join(import.meta.dirname, "..");

/** All of ours lies in the rooms, and nothing else does. */
const rooms = ["actors", "runtime", "manifests", "deploy", "test"];
const files: readonly string[] = rooms
  .flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" }).map((it) =>
      join(room, it),
    ),
  )
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".generated.ts"))
  .sort();

const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
const code = new Map([...sources].map(([file, text]) => [file, withoutComments(text)]));

/** Drivers and doors: the only files under actors/ that touch the machine. */
const edges = [
  "actors/apiserver/doors/answer.ts",
  "actors/apiserver/doors/digest.ts",
  "actors/apiserver/doors/exchange.ts",
  "actors/apiserver/doors/https.ts",
  "actors/apiserver/doors/limits.ts",
  "actors/apiserver/doors/oidc-keys.ts",
  "actors/apiserver/doors/portforward.ts",
  "actors/apiserver/doors/spdy.ts",
  "actors/apiserver/doors/terminal.ts",
  "actors/apiserver/doors/upgrade.ts",
  "actors/cli/",
  "actors/dns/server.ts",
  "actors/kubelet/engines/docker/",
  "actors/kubelet/net-dialer.ts",
  "actors/kubelet/real-machine.ts",
  "actors/kubelet/server.ts",
  "actors/kubelet/volumes/disk.ts",
  "actors/proxy/host-network.ts",
  "actors/proxy/nft.ts",
];

const longestFile = 500;
const longestFunction = 70;
/** Of comments: code is Biome's. Each word of an actor's header has one line, however long. */
const longestComment = 120;

/** Closures that are too long and may only become shorter. */
const ratchet: Readonly<Record<string, number>> = {
  createNetwork: 81,
  createSimBus: 108,
  openStream: 103,
};

test("tidy: every room imports only what the table of rooms lets it", () => {
  const wrong = [...sources.keys()].flatMap((file) =>
    importsOf(file)
      .filter((target) => !mayImport(file, target))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test("tidy: no file imports itself by way of others", () => {
  expect(circles()).toEqual([]);
});

test("tidy: only the runtime and the composition know NATS", () => {
  expect(
    matches(/from "(nats|@nats-io\/[^"]+)"/, (file) => /^(actors|manifests)\//.test(file)),
  ).toEqual([]);
});

test("tidy: subjects are spelled in actors/subjects.ts alone", () => {
  const subject =
    /["'`](wherry\.(api|session|ledger|owner|node|stream|manifests|audit)\b|_INBOX\b|\$KV\b|\$JS\b)/;
  const inActors = (file: string) => file.startsWith("actors/") && file !== "actors/subjects.ts";
  // Inboxes are the NATS door's to check, and a consumer's subjects are JetStream's own.
  const known = ["actors/apiserver/doors/nats.ts", "actors/apiserver/doors/submits.ts"];
  expect(matches(subject, (file) => inActors(file) && !known.includes(file))).toEqual([]);
});

test("tidy: actors and manifests take time, chance and the machine from nowhere but their context", () => {
  const world =
    /\bDate\.now\b|new Date\(\)|\bMath\.random\b|\bperformance\.now\b|(?<![.\w])set(Timeout|Interval|Immediate)\(|\bprocess\.|from "node:/;
  const inside = (file: string) =>
    /^(actors|manifests)\//.test(file) && !edges.some((edge) => file.startsWith(edge));
  expect(matches(world, inside)).toEqual([]);
});

test("tidy: the runtime takes time and chance from real.ts alone", () => {
  const world = /\bDate\.now\b|new Date\(\)|\bMath\.random\b|(?<![.\w])set(Timeout|Interval)\(/;
  const inside = (file: string) => file.startsWith("runtime/") && file !== "runtime/real.ts";
  expect(matches(world, inside)).toEqual([]);
});

test("tidy: edges that are listed exist", () => {
  expect(edges.filter((edge) => !files.some((file) => file.startsWith(edge)))).toEqual([]);
});

test("tidy: nothing names a machine's own folders", () => {
  const folder = /["'`\s]\/(root|home)\/\w/;
  expect(matches(folder, (file) => !file.startsWith("test/"))).toEqual([]);
});

test("tidy: files, functions and lines stay short", () => {
  const long: string[] = [];
  for (const [file, text] of sources) {
    const lines = text.split("\n");
    if (lines.length - 1 > longestFile) long.push(`${file}: ${lines.length - 1} lines`);
    lines.forEach((line, at) => {
      const comment = /^\s*(\*|\/\*\*|\/\/) /.test(line) && !/^ \* [A-Z]\w+ {2}/.test(line);
      if (comment && line.length > longestComment)
        long.push(`${file}:${at + 1}: ${line.length} columns`);
    });
    if (file.startsWith("test/")) continue;
    for (const { name, length } of functionsOf(lines)) {
      if (length > (ratchet[name] ?? longestFunction))
        long.push(`${file}: ${name} has ${length} lines`);
    }
  }
  expect(long).toEqual([]);
});

const words = ["Mailbox", "Watches", "Owns", "Writes", "Fails", "Scales"];

test("tidy: every actor opens with its contract, six words in their order", () => {
  const wrong = [...code.keys()].filter(isActor).flatMap((file) => {
    const header = headerOf(file);
    const found = [...header.matchAll(/^ \* ([A-Z][a-z]+) {2}/gm)].map(([, word]) => word);
    return found.join() === words.join() ? [] : [`${file}: ${found.join(" ") || "no header"}`];
  });
  expect(wrong).toEqual([]);
});

test.each(controllers({ caPem: "" }).map((controller) => [controller.name, controller] as const))(
  "tidy: the header of %s says what it watches and writes",
  (name, controller) => {
    const header = headerOf(`actors/controllers/${name}.ts`);
    expect(stated(lineOf(header, "Watches"))).toEqual(watched(controller));
    expect(stated(lineOf(header, "Writes"))).toEqual(written(controller));
  },
);

function mayImport(from: string, to: string): boolean {
  const [room, target] = [roomOf(from), roomOf(to)];
  switch (room) {
    case "runtime":
    case "manifests":
      return target === room;
    case "deploy":
      return target !== "test";
    case "test":
    case "top":
      return true;
    case "subjects":
      return target === "runtime" || target === "manifests";
    default:
      if (target === "runtime" || target === "manifests" || target === "subjects") return true;
      return target === room || target === "actors/kit" || isMessages(to);
  }
}

/** Messages are what actors say to each other; the kit stands below all of them. */
function isMessages(file: string): boolean {
  return /^actors\/[^/]+\/messages\.ts$/.test(file);
}

function roomOf(file: string): string {
  if (file === "actors/subjects.ts") return "subjects";
  const [top = "", room = ""] = file.split("/");
  if (top === "actors") return `actors/${room}`;
  return file.includes("/") ? top : "top";
}

function importsOf(file: string, which: "all" | "values" = "all"): string[] {
  const found = (code.get(file) ?? "").matchAll(
    /\b(?:(import|export)( type)?\b[^;"]*?\bfrom\s*|import\s*\(?\s*)"(\.[^"]+)"/g,
  );
  return [...found]
    .filter(([, , type]) => which === "all" || !type)
    .map(([, , , path]) => normalize(join(dirname(file), path ?? "")));
}

/** Each circle once, as the path that closes it. Types alone make none: they are gone at run time. */
function circles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file].join(" > "));
      return;
    }
    if (done.has(file)) return;
    for (const target of importsOf(file, "values")) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}

function matches(pattern: RegExp, inside: (file: string) => boolean): string[] {
  return [...code]
    .filter(([file]) => inside(file))
    .flatMap(([file, text]) =>
      text.split("\n").flatMap((line, at) => {
        const found = pattern.exec(line);
        return found ? [`${file}:${at + 1}: ${found[0].trim()}`] : [];
      }),
    );
}

/** Keeps the line numbers. A `//` inside a string is none; ours only have those in URLs. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""))
    .replace(/(^|\s)\/\/.*$/gm, "$1");
}

interface Measured {
  name: string;
  length: number;
}

/**
 * Functions with the lines that are theirs alone, found by the indentation that Biome gives them:
 * a function inside another one counts for itself.
 */
function functionsOf(lines: readonly string[]): Measured[] {
  const open: { name: string; indent: string; length: number }[] = [];
  const found: Measured[] = [];
  for (const line of lines) {
    const inner = open.at(-1);
    if (inner) inner.length++;
    const opened =
      /^( *)(?:export )?(?:async )?function (\w+)|^( {2})(?:async |static |get )*(#?\w+)\(.*$/.exec(
        line,
      );
    if (opened && !/[;,]$|\}$/.test(line)) {
      const name = opened[2] ?? opened[4] ?? "";
      open.push({ name, indent: opened[1] ?? opened[3] ?? "", length: 1 });
    } else if (inner && line === `${inner.indent}}`) {
      open.pop();
      found.push(inner);
    }
  }
  return found;
}

/** Whoever defines an actor: a controller, or a definition of its own. */
function isActor(file: string): boolean {
  if (!file.startsWith("actors/")) return false;
  return /\bdefineController[<(]|: ActorDefinition<[^>]*> *[={]|ActorDefinition<\s/.test(
    code.get(file) ?? "",
  );
}

function headerOf(file: string): string {
  const text = sources.get(file) ?? "";
  return text.startsWith("/**") ? text.slice(0, text.indexOf("*/")) : "";
}

function lineOf(header: string, word: string): string {
  return new RegExp(`^ \\* ${word} +(.*)$`, "m").exec(header)?.[1] ?? "";
}

/** `core/pods create+delete; apps/replicasets/status update` as sorted items; the rest is prose. */
function stated(line: string): string[] {
  const items = line.matchAll(
    /\b(every kind|[a-z0-9.]+\/[a-z]+(?:\/[a-z]+)?)(?: ((?:(?:create|update|patch|deletecollection|delete|escalate)\+?)+))?/g,
  );
  return [...items].flatMap(([, what = "", verbs]) => spell(what, verbs?.split("+"))).sort();
}

function watched({ watches }: Controller): string[] {
  const all = watches.length > 20;
  return all ? ["every kind"] : watches.map(({ kind }) => resourceOf(kind)).sort();
}

function resourceOf(kind: Kind): string {
  return kind.group ? kindId(kind) : `core/${kind.resource}`;
}

/** Events are everybody's, and said in the kit. Of a status it is told who writes it, not how. */
function written({ writes }: Controller): string[] {
  return writes
    .filter(({ resource }) => resource !== "events")
    .flatMap(({ group, resource, verbs }) =>
      spell(group === "*" ? "every kind" : `${group || "core"}/${resource}`, verbs),
    )
    .sort();
}

function spell(what: string, verbs: readonly string[] = []): string[] {
  const isStatus = what.split("/").length > 2;
  return isStatus || verbs.length === 0 ? [what] : verbs.map((verb) => `${what} ${verb}`);
}
