/**
 * Fetches the Go packages that hold the API's types, from Debian, into a folder of our own.
 *
 * The package lists are private (Dir::State and Dir::Cache point into the folder), so the machine's own apt
 * configuration and state stay as they are. The release is trixie: its packages carry Kubernetes v1.32.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SUITE = "trixie";
const PACKAGES = ["golang-k8s-api-dev", "golang-k8s-apimachinery-dev"];
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Returns the folder that holds `k8s.io/api` and `k8s.io/apimachinery`. */
export function fetchGoSources(dir: string): string {
  for (const sub of ["state/lists/partial", "cache/archives/partial", "debs", "src"]) {
    mkdirSync(join(dir, sub), { recursive: true });
  }
  const sources = join(dir, "sources.list");
  writeFileSync(sources, `deb [signed-by=${KEYRING}] ${debianSite()} ${SUITE} main\n`);
  const options = {
    "Dir::State": join(dir, "state"),
    "Dir::Cache": join(dir, "cache"),
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "/dev/null",
    "APT::Sandbox::User": "root",
  };
  const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const debs = join(dir, "debs");
  execFileSync("apt-get", [...flags, "-q", "update"], { stdio: "inherit" });
  execFileSync("apt-get", [...flags, "-q", "download", ...PACKAGES], {
    stdio: "inherit",
    cwd: debs,
  });
  for (const deb of readdirSync(debs)) {
    execFileSync("dpkg", ["-x", join(debs, deb), join(dir, "src")]);
  }
  return join(dir, "src/usr/share/gocode/src/k8s.io");
}

/** The mirror that this machine already uses, whatever it is. */
function debianSite(): string {
  const format = ["indextargets", "--format", "$(ORIGIN) $(SITE)", "Created-By: Packages"];
  const lines = execFileSync("apt-get", format, { encoding: "utf8" }).split("\n");
  const site = lines.find((line) => line.startsWith("Debian ") && !line.includes("security"));
  if (!site) throw new Error("no Debian package source is configured on this machine");
  return site.slice("Debian ".length);
}
