// `npm run bench:<name>`: bundles test/bench/<name>.ts and runs it.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./prepare.mjs";

const [name = ""] = process.argv.slice(2);
const outfile = join(root, ".cache/bench", `${name}.mjs`);
await build({
  entryPoints: [join(root, "test/bench", `${name}.ts`)],
  bundle: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  outfile,
  // Where the sources lie, for modules that look for files beside them.
  plugins: [keepDirectories()],
  logLevel: "error",
});
await import(pathToFileURL(outfile).href);

/** `import.meta.dirname` of a bundled file would be the bundle's; put each file's own in. */
function keepDirectories() {
  return {
    name: "keep-directories",
    async setup(builder) {
      const { readFile } = await import("node:fs/promises");
      const { dirname } = await import("node:path");
      builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        const directory = JSON.stringify(dirname(path));
        return { loader: "ts", contents: source.replaceAll("import.meta.dirname", directory) };
      });
    },
  };
}
