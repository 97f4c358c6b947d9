import { describe, expect, test } from "vitest";
import { listeningInodes, parseStat } from "../../../deploy/processes.ts";
import { mountsBelow } from "../../../deploy/traces.ts";

describe("processes", () => {
  test("processes: a name with blanks and brackets does not shift the start time", () => {
    const stat = `7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 999`;
    expect(parseStat(stat)).toEqual({ state: "S", startTime: "4242" });
    expect(parseStat("")).toBeUndefined();
  });

  test("processes: only listeners on exactly that port are found", () => {
    const line = (local: string, state: string, inode: string): string =>
      `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  0 0 ${inode} 1`;
    const table = [
      "  sl  local_address ...",
      line("0100007F:192B", "0A", "11"),
      line("0100007F:192B", "01", "12"),
      line("0100007F:92B0", "0A", "13"),
    ].join("\n");
    expect(listeningInodes(table, 0x192b)).toEqual(["11"]);
  });

  test("traces: mounts below a folder come innermost first, a name's prefix is not below", () => {
    const info = [
      "1 0 8:1 / /data/docker rw - ext4 /dev/x rw",
      "2 1 8:1 / /data/docker/over\\040lay rw - overlay o rw",
      "3 0 8:1 / /data/docker-other rw - ext4 /dev/x rw",
    ].join("\n");
    expect(mountsBelow(info, "/data/docker")).toEqual(["/data/docker/over lay", "/data/docker"]);
  });
});
