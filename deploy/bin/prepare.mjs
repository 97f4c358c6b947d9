/**
 * What stands between a fresh clone and running TypeScript: dependencies, and one bundle.
 *
 * Plain JavaScript without dependencies, because it runs before there are any. The bundle is made
 * again when a source or the lock file changed since, which costs a fraction of a second; loading
 * one file is several times faster than loading a thousand.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(root, ".cache");
const bundle = join(cache, "wherry.mjs");
const stampFile = join(cache, "wherry.stamp");
const sourceFolders = ["actors", "runtime", "manifests", "deploy"];

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`Wherry needs Node.js 20.19 or newer; this is ${process.version}.\n`);
  process.exit(1);
}

/** Installs the dependencies of the lock file when they are not there, or are those of another. */
export function ensureDependencies() {
  const installed = join(root, "node_modules/.package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(installed) && sameDependencies(lock, installed)) return;
  assertWritable();
  process.stdout.write("Installing the dependencies of package-lock.json (npm ci)\n");
  const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    process.stderr.write("npm ci failed: the dependencies cannot be had.\n");
    process.exit(1);
  }
}

function assertWritable() {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    process.stderr.write(`Cannot write to ${root}: run as its owner, or clone it for yourself.\n`);
    process.exit(1);
  }
}

/** Every package of the lock file is installed in its version, but for those of other systems. */
function sameDependencies(lock, installed) {
  const wanted = JSON.parse(readFileSync(lock, "utf8")).packages;
  const present = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === "" || optional || present[path]?.version === version,
  );
}

/** Bundles the program if need be, and returns the URL to import. */
export async function ensureBundle() {
  ensureDependencies();
  const stamp = stampOf();
  if (existsSync(bundle) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) {
    return pathToFileURL(bundle).href;
  }
  assertWritable();
  const { build, stop } = await import("esbuild");
  mkdirSync(cache, { recursive: true });
  const staged = `${bundle}.${process.pid}`;
  await build({
    entryPoints: [join(root, "deploy/main.ts")],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    outfile: staged,
    // Native extras of a dependency that work without.
    external: ["cpu-features", "*.node"],
    loader: { ".node": "empty" },
    define: { "process.env.WHERRY_ROOT": JSON.stringify(root) },
    plugins: [leaveOut(["ssh2", "@grpc/grpc-js", "@grpc/proto-loader"])],
    // Dependencies in CommonJS call `require` for Node's own modules.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    minifySyntax: true,
    logLevel: "error",
  });
  // Its service process would otherwise stay beside ours for good, with twice our memory.
  await stop();
  renameSync(staged, bundle);
  writeFileSync(stampFile, stamp);
  return pathToFileURL(bundle).href;
}

/** Dependencies of dependencies that are loaded always and used never: Docker over ssh, BuildKit. */
function leaveOut(names) {
  return {
    name: "leave-out",
    setup(builder) {
      const filter = new RegExp(`^(${names.join("|")})$`);
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace: "left-out" }));
      const contents = "module.exports = {};";
      builder.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents }));
    },
  };
}

function stampOf() {
  const hash = createHash("sha256").update(root);
  const note = (path) => {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  };
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.(ts|mjs|json)$/.test(entry.name)) note(path);
    }
  };
  for (const folder of sourceFolders) if (existsSync(join(root, folder))) walk(join(root, folder));
  note(join(root, "package-lock.json"));
  return hash.digest("hex");
}
