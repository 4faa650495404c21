// npm test: makes the checkout ready, then the checks, then all tests with coverage. With arguments: vitest alone.
import { join } from 'node:path'
import { runInPlace } from './child.mjs'
import { ensureDebianPackages } from './debian-packages.mjs'
import { prepare, root } from './prepare.mjs'

const args = process.argv.slice(2)
process.exitCode = args.length > 0 ? await runSome(args) : await runAll()

/** `npm test -- src/core/backoff.test.ts`: whoever works on one thing wants its answer, and coverage of all would fail. */
function runSome(vitest_args) {
  prepare({ build: false })
  return vitest(vitest_args)
}

async function runAll() {
  const begun = performance.now()
  prepare({ build: true })
  ensureDebianPackages()
  const checks = await runInPlace(process.execPath, [join('scripts', 'check.mjs')], { cwd: root })
  if (isInterrupted(checks)) return checks
  const tests = await vitest(['--coverage'])
  const failed = [checks !== 0 && 'the checks', tests !== 0 && 'the tests or their coverage'].filter(Boolean)
  const seconds = Math.round((performance.now() - begun) / 1000)
  console.log(
    failed.length === 0
      ? `All checks and tests passed in ${seconds} s.`
      : `FAILED: ${failed.join(', and ')}.`,
  )
  return failed.length === 0 ? 0 : 1
}

/** A program that a signal ended: whoever pressed Ctrl-C does not want the rest either. */
function isInterrupted(code) {
  return code > 128
}

function vitest(vitest_args) {
  const program = join('node_modules', 'vitest', 'vitest.mjs')
  return runInPlace(process.execPath, [program, 'run', ...vitest_args], { cwd: root })
}
