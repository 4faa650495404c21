// How the tests run: one server for all of them, a database for each file.
import { defineConfig } from 'vitest/config'
import { ClosingReporter } from './test/closing-reporter.ts'

const isContinuousIntegration = process.env['CI'] === 'true'

export default defineConfig({
  test: {
    include: ['{src,sql,test,scripts,examples}/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    // Files share three processes: what they import is loaded three times, not once for each of them. What one leaves behind fails it.
    isolate: false,
    // Two cores: while one file waits for a lease or a process, another one works.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A busy machine of others is no reason to refuse a change: what fails there once is tried again, and named at the end. Never at a desk.
    retry: isContinuousIntegration ? 1 : 0,
    reporters: ['default', new ClosingReporter()],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts', 'src/**/*.test-d.ts'],
      thresholds: { lines: 80, branches: 80 },
      reporter: ['text-summary'],
    },
  },
})
