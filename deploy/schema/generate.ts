/**
 * `npm run schema`: writes manifests/schema/*.generated.* from the Go types of one Kubernetes release.
 *
 * Run by hand when the API version moves; its output is committed. It takes facts (names, types, numbers, markers)
 * and no prose. Usage: `npm run schema [-- <folder with k8s.io/api>]`; without a folder it fetches the packages.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TableBuilder } from "./build-table.ts";
import { emitJson, emitTypes } from "./emit.ts";
import { fetchGoSources } from "./fetch.ts";
import { emptyPackage, type GoPackage, parseGo } from "./parse-go.ts";

const RELEASE = "v1.32.3";

/** The packages of the API groups served, in the order in which they may claim a plain TypeScript name. */
const PACKAGES: Record<string, string> = {
  "meta.v1": "apimachinery/pkg/apis/meta/v1",
  "core.v1": "api/core/v1",
  "apps.v1": "api/apps/v1",
  "batch.v1": "api/batch/v1",
  "rbac.v1": "api/rbac/v1",
  "networking.v1": "api/networking/v1",
  "policy.v1": "api/policy/v1",
  "storage.v1": "api/storage/v1",
  "discovery.v1": "api/discovery/v1",
  "coordination.v1": "api/coordination/v1",
  "scheduling.v1": "api/scheduling/v1",
  "node.v1": "api/node/v1",
  "autoscaling.v2": "api/autoscaling/v2",
  "autoscaling.v1": "api/autoscaling/v1",
  "events.v1": "api/events/v1",
  "certificates.v1": "api/certificates/v1",
  "admissionregistration.v1": "api/admissionregistration/v1",
  "authentication.v1": "api/authentication/v1",
  "authorization.v1": "api/authorization/v1",
  "flowcontrol.v1": "api/flowcontrol/v1",
  "admission.v1": "api/admission/v1",
  "apidiscovery.v2": "api/apidiscovery/v2",
};

/** Where a package keeps its API types; the other files hold Go's own conveniences. */
const FILES = ["types.go", "watch.go", "group_version.go"];

function readPackage(dir: string): GoPackage {
  const pkg = emptyPackage();
  for (const file of readdirSync(dir)) {
    if (FILES.includes(file)) parseGo(readFileSync(join(dir, file), "utf8"), pkg);
  }
  return pkg;
}

function main(): void {
  const work = mkdtempSync(join(tmpdir(), "wherry-schema-"));
  try {
    const root = process.argv[2] ?? fetchGoSources(work);
    const packages = new Map<string, GoPackage>();
    for (const [name, dir] of Object.entries(PACKAGES)) {
      packages.set(name, readPackage(join(root, dir)));
    }
    const table = new TableBuilder(RELEASE, packages).build();
    const out = "manifests/schema";
    writeFileSync(join(out, "schema.generated.json"), emitJson(table));
    writeFileSync(join(out, "types.generated.ts"), emitTypes(table));
    const count = Object.keys(table.types).length;
    process.stdout.write(`Wrote ${count} types of Kubernetes ${table.release} to ${out}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

main();
