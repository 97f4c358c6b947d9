import { describe, expect, test } from "vitest";
import { parseSimulation, parseSources, sourceLists } from "../../../../deploy/setup/debian.ts";
import { isAtLeast, parseVersion } from "../../../../deploy/setup/tools.ts";

const listed = [
  "Packages|http://archive.test/debian|bookworm|main",
  "Packages|http://archive.test/debian-security|bookworm-security|main",
  "Translations|http://archive.test/debian|bookworm|main",
  "Packages|https://vendor.test/node_20.x|nodistro|main",
].join("\n");

describe("setup", () => {
  test("setup: only Debian's own archives among the configured sources are used", () => {
    expect(parseSources(listed).map((it) => it.release)).toEqual(["bookworm", "bookworm-security"]);
  });

  test("setup: the machine's suites share one list, a newer suite has one list a site", () => {
    const sources = parseSources(listed);
    expect(sourceLists(sources, "machine")[0]?.trim().split("\n")).toHaveLength(2);
    const newer = sourceLists(sources, "sid");
    expect(newer).toHaveLength(1);
    expect(newer[0]).toMatch(/^deb \[signed-by=\S+\] http:\/\/archive\.test\/debian sid main\n$/);
  });

  test("setup: a package's closure leaves the machine's libc alone", () => {
    const output = [
      "Reading package lists...",
      "Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])",
      "Inst libnftnl11 (1.2.4-2 Debian:12 [amd64])",
      "Inst nftables (1.0.6-2 Debian:12 [amd64])",
      "Conf nftables (1.0.6-2 Debian:12 [amd64])",
    ].join("\n");
    expect(parseSimulation(output)).toEqual(["libnftnl11", "nftables"]);
  });

  test("setup: versions are read from what tools print, and compared number by number", () => {
    expect(parseVersion("nats-server: v2.12.0")).toEqual([2, 12, 0]);
    expect(parseVersion("Docker version 20.10.24+dfsg1, build 297e128")).toEqual([20, 10, 24]);
    expect(parseVersion("no number")).toBeUndefined();
    expect(isAtLeast([2, 9, 10], [2, 12])).toBe(false);
    expect(isAtLeast([2, 12], [2, 12])).toBe(true);
    expect(isAtLeast([3], [2, 12])).toBe(true);
  });
});
