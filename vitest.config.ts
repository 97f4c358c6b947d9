import { defineConfig } from "vitest/config";

/** One project per suite, so that each can be run and timed alone; see test/README.md. */
function suite(name: string, include: string[], options: { timeoutMs: number; parallel: boolean }) {
  return {
    test: {
      name,
      include,
      testTimeout: options.timeoutMs,
      hookTimeout: options.timeoutMs,
      fileParallelism: options.parallel,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      suite("unit", ["test/unit/**/*.test.ts", "test/*.test.ts"], {
        timeoutMs: 20_000,
        parallel: true,
      }),
      suite("integration", ["test/integration/**/*.test.ts"], {
        timeoutMs: 60_000,
        parallel: false,
      }),
      suite("sim", ["test/sim/**/*.test.ts"], { timeoutMs: 180_000, parallel: false }),
      suite("e2e", ["test/e2e/**/*.test.ts"], { timeoutMs: 180_000, parallel: false }),
    ],
  },
});
