import { defineConfig } from "vitest/config";

// Loading the CDK takes longer than all tests together: it is loaded once, and every variant is synthesized once.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], isolate: false, maxWorkers: 1, testTimeout: 120_000, hookTimeout: 120_000 },
});
