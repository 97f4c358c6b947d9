import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

interface SuiteOptions {
  timeoutMs: number;
  parallel: boolean;
  /** Files at a time; by default one less than there are cores. */
  workers?: number;
}

/** One project per suite, so that each can be run and timed alone; see test/README.md. */
function suite(name: string, include: string[], options: SuiteOptions) {
  return {
    test: {
      name,
      include,
      testTimeout: options.timeoutMs,
      hookTimeout: options.timeoutMs,
      fileParallelism: options.parallel,
      maxWorkers: options.workers,
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
      suite("sim", ["test/sim/**/*.test.ts"], {
        timeoutMs: 180_000,
        parallel: true,
        workers: availableParallelism(),
      }),
      suite("e2e", ["test/e2e/**/*.test.ts"], { timeoutMs: 180_000, parallel: false }),
    ],
  },
});
