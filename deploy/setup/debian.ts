/**
 * Debian packages without installing them.
 *
 * apt itself does the work (mirrors, signatures, dependencies) but with its state, its cache and its
 * source list in a private folder, and `dpkg -x` unpacks what it fetched. The machine's own package
 * database is read, never written: nothing is installed, no service starts, no root is needed, and
 * deleting the cache folder is the whole of uninstalling.
 *
 * Only packages signed by Debian's keyring are taken, from the sites the machine already uses.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureFolder } from "./cache.ts";
import { run } from "./exec.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * `machine` is the release the machine runs: packages come with whatever they need that is not
 * installed. Any other word is a suite (`sid`, `trixie`): one package is taken alone, because its
 * libraries would not fit here; that serves programs that are linked statically or need libc only.
 */
export type Suite = "machine" | (string & {});

export interface Source {
  readonly site: string;
  readonly release: string;
  readonly component: string;
}

/** The Debian archives among the machine's configured sources, as `apt-get indextargets` lists them. */
export function parseSources(lines: string): Source[] {
  const sources = new Map<string, Source>();
  for (const line of lines.split("\n")) {
    const [createdBy, site = "", release = "", component = ""] = line.split("|");
    if (createdBy !== "Packages" || !/\/debian(-security)?(\/|$)/.test(site)) continue;
    sources.set(line, { site, release, component });
  }
  return [...sources.values()];
}

/** The source lists to try, in order, for packages of `suite`; the first that has them wins. */
export function sourceLists(sources: readonly Source[], suite: Suite): string[] {
  const line = (site: string, release: string, component: string): string =>
    `deb [signed-by=${keyring}] ${site} ${release} ${component}\n`;
  if (suite === "machine") {
    return [sources.map((it) => line(it.site, it.release, it.component)).join("")];
  }
  const sites = new Set(
    sources.map((it) => it.site).filter((site) => !site.includes("debian-security")),
  );
  return [...sites].map((site) => line(site, suite, "main"));
}

/** The packages that `apt-get --simulate install` would add, by name. */
export function parseSimulation(output: string): string[] {
  const names = [...output.matchAll(/^Inst (\S+) /gm)].map((match) => match[1] ?? "");
  // The running loader and its libc must stay a pair: a newer libc is never taken along.
  return names.filter((name) => name !== "" && !/^(libc6|libc-bin)(:|$)/.test(name));
}

async function machineSources(): Promise<Source[]> {
  const format = "$(CREATED_BY)|$(SITE)|$(RELEASE)|$(COMPONENT)";
  const { stdout } = await run("apt-get", ["indextargets", "--format", format]);
  return parseSources(stdout);
}

/** Options that keep every file apt writes inside `dir`. */
async function privateApt(dir: string, sourceList: string): Promise<string[]> {
  await mkdir(join(dir, "state/lists/partial"), { recursive: true });
  await mkdir(join(dir, "cache/archives/partial"), { recursive: true });
  await writeFile(join(dir, "sources.list"), sourceList);
  const options = {
    "Dir::State": join(dir, "state"),
    "Dir::State::status": "/var/lib/dpkg/status",
    "Dir::Cache": join(dir, "cache"),
    // Container images switch these off, and then every call parses all the lists again.
    "Dir::Cache::pkgcache": "pkgcache.bin",
    "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
    "Dir::Etc::sourcelist": join(dir, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    // A dated snapshot of the archive is as good as the archive.
    "Acquire::Check-Valid-Until": "false",
    "Acquire::Languages": "none",
    // apt's own unprivileged user could not write here.
    "APT::Sandbox::User": "root",
  };
  return Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

/** One set of downloaded package lists, shared by all packages that set-up takes in one go. */
export class DebianArchive {
  readonly #dir: string;
  readonly #suite: Suite;
  readonly #log: (line: string) => void;
  #options: Promise<string[][]> | undefined;

  private constructor(dir: string, suite: Suite, log: (line: string) => void) {
    this.#dir = dir;
    this.#suite = suite;
    this.#log = log;
  }

  static async open(
    cache: string,
    suite: Suite,
    log: (line: string) => void,
  ): Promise<DebianArchive> {
    await mkdir(cache, { recursive: true });
    return new DebianArchive(await mkdtemp(join(cache, `apt-${suite}-`)), suite, log);
  }

  async close(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Unpacks the package, and for the machine's own release what it needs, into `target`. */
  async unpack(name: string, target: string): Promise<void> {
    this.#options ??= this.#update();
    const failures: Error[] = [];
    for (const options of await this.#options) {
      try {
        await ensureFolder(target, (staging) => this.#unpackInto(options, name, staging));
        return;
      } catch (error) {
        failures.push(error as Error);
      }
    }
    const what = `Debian package ${name} (${this.#suite})`;
    throw new Error(`${what} cannot be had: ${failures.map((it) => it.message).join("; ")}`);
  }

  async #update(): Promise<string[][]> {
    const lists = sourceLists(await machineSources(), this.#suite).filter((list) => list !== "");
    if (lists.length === 0) throw new Error("no Debian archive among this machine's apt sources");
    const usable: string[][] = [];
    const failures: unknown[] = [];
    for (const [index, list] of lists.entries()) {
      this.#log(`reading the package lists of Debian ${this.#suite}`);
      const options = await privateApt(join(this.#dir, `${index}`), list);
      await run("apt-get", [...options, "update"]).then(
        () => usable.push(options),
        (error: unknown) => failures.push(error),
      );
    }
    if (usable.length === 0) {
      throw new Error(`no package lists for Debian ${this.#suite}`, { cause: failures[0] });
    }
    return usable;
  }

  async #unpackInto(options: readonly string[], name: string, staging: string): Promise<void> {
    const packages = new Set([name]);
    if (this.#suite === "machine") {
      const simulate = ["--simulate", "install", "--no-install-recommends", name];
      const { stdout } = await run("apt-get", [...options, ...simulate]);
      for (const needed of parseSimulation(stdout)) packages.add(needed);
    }
    const downloads = join(staging, ".downloads");
    await mkdir(downloads);
    await run("apt-get", [...options, "download", ...packages], { cwd: downloads });
    for (const file of await readdir(downloads)) {
      this.#log(`unpacking ${file}`);
      await run("dpkg", ["-x", join(downloads, file), staging]);
    }
    await rm(downloads, { recursive: true });
  }
}
