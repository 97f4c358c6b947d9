import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = join(import.meta.dirname, "../../../..");

/** A controller of somebody else's, in one file, against the package's exports alone. */
const controller = `
import { ConfigMap, defineController, del, isNotFound, keyOf, requeueAfter, watch } from "wherry";
import { TerminalError } from "wherry/runtime";

export const expiry = defineController({
  name: "expiry",
  watches: [watch(ConfigMap)],
  writes: [del(ConfigMap)],
  async reconcile(key, { lister, clock, api }) {
    const map = lister(ConfigMap).get(key);
    if (!map?.data?.expires) return;
    const expires = Number(map.data.expires);
    if (Number.isNaN(expires)) throw new TerminalError("not a time");
    if (clock.now() < expires) return requeueAfter(expires - clock.now());
    try {
      await api.delete(ConfigMap, keyOf(map), { uid: map.metadata.uid });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  },
});
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wherry-outside-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/wherry"));
  const compilerOptions = {
    target: "ES2023",
    lib: ["ES2023", "ESNext.Disposable"],
    module: "NodeNext",
    types: [],
    strict: true,
    allowImportingTsExtensions: true,
    resolveJsonModule: true,
    skipLibCheck: true,
    noEmit: true,
  };
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function compile(source: string): string {
  writeFileSync(join(folder, "controller.ts"), source);
  const tsc = join(root, "node_modules/.bin/tsc");
  try {
    return execFileSync(tsc, ["-p", folder], { encoding: "utf8" });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test("package: a controller compiles outside of the repository against its exports", () => {
  expect(compile(controller)).toBe("");
});

test("package: and its mistakes do not", () => {
  const mistaken = controller.replace("map?.data?.expires", "map?.date?.expires");
  expect(compile(mistaken)).toContain("Property 'date' does not exist");
});
