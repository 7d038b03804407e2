import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // What is polled for comes in milliseconds on a quiet machine; a busy one gets its time.
    expect: { poll: { timeout: 15_000 } },
  },
});
