// `npm test` = `npm run verify` = what CI runs: set-up, types, lint, unused code, and every suite.
// `npm test -- unit e2e` runs only the suites named.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureDependencies, root } from "./prepare.mjs";

ensureDependencies();
const only = process.argv.slice(2);
const results = join(root, ".cache/results");
mkdirSync(results, { recursive: true });

const bin = (name) => join(root, "node_modules/.bin", name);
const checks = [
  ["set-up", process.execPath, ["deploy/bin/wherry.mjs", "setup", "--tests"]],
  ["types", bin("tsc"), ["-p", "tsconfig.json"]],
  ["lint", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["unused", bin("knip"), []],
];
const suites = ["unit", "integration", "sim", "e2e"];

let passed = 0;
let failed = 0;
const summary = [];

for (const [name, command, args] of checks) {
  if (only.length > 0 && name !== "set-up") continue;
  const [ok, minutes] = timed(name, command, args);
  if (!ok) failed += 1;
  summary.push(`${name}: ${ok ? "ok" : "FAILED"}, ${minutes} min`);
  if (!ok && name === "set-up") break;
}

for (const suite of failed > 0 && summary.length === 1 ? [] : suites) {
  if (only.length > 0 && !only.includes(suite)) continue;
  const file = join(results, `${suite}.json`);
  rmSync(file, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const args = ["run", "--project", suite, "--passWithNoTests", ...reporters];
  const [ok, minutes] = timed(suite, bin("vitest"), args);
  const counts = existsSync(file) ? count(JSON.parse(readFileSync(file, "utf8"))) : [0, 0];
  // A run that ends badly without one failed test (a file that does not load, an unhandled
  // rejection) is a failure all the same.
  if (!ok && counts[1] === 0) counts[1] = 1;
  passed += counts[0];
  failed += counts[1];
  summary.push(`${suite}: ${counts[0]} passed, ${counts[1]} failed, ${minutes} min`);
}

process.stdout.write(`\n${summary.join("\n")}\n\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);

function timed(name, command, args) {
  process.stdout.write(`\n== ${name}\n`);
  const startedAt = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  return [status === 0, ((performance.now() - startedAt) / 60_000).toFixed(1)];
}

/** Passed and failed tests; a file that failed outside its tests counts as one failed test. */
function count(report) {
  const broken = report.testResults.filter(
    (file) =>
      file.status === "failed" && file.assertionResults.every((it) => it.status !== "failed"),
  );
  return [report.numPassedTests, report.numFailedTests + broken.length];
}
