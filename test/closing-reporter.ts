// The last words of a test run: what failed, in a line each, where a log that was cut to its end still shows it.
import type { Reporter, TestCase, TestModule } from 'vitest/node'

export class ClosingReporter implements Reporter {
  readonly #write: (line: string) => void

  constructor(write: (line: string) => void = console.log) {
    this.#write = write
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly { message: string; stack?: string }[],
  ): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const flaky = tests.filter((test) => test.diagnostic()?.flaky)
    const failed = tests.filter((test) => test.result().state === 'failed')
    this.#list('Passed only when it was tried again; it wants mending:', flaky.map(lineOf))
    this.#list('Failed:', [...failed.map(lineOf), ...modules.flatMap(linesOfHooks)])
    this.#list(
      'Thrown outside of any test:',
      unhandled.map(({ message, stack }) => stack ?? message),
    )
  }

  #list(title: string, lines: readonly string[]): void {
    if (lines.length > 0) this.#write([`\n${title}`, ...lines.map((line) => `  ${line}`)].join('\n'))
  }
}

function lineOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}: ${firstLine(test.result().errors)}`
}

/** A file that could not be read, or whose hooks failed, has errors of its own. */
function linesOfHooks(module: TestModule): string[] {
  const suites = [...module.children.allSuites()].flatMap((suite) => suite.errors())
  return [...module.errors(), ...suites].map(
    ({ message }) => `${module.relativeModuleId}: ${firstLine([{ message }])}`,
  )
}

function firstLine(errors: readonly { message: string }[] | undefined): string {
  return (errors?.[0]?.message ?? 'no error was kept').split('\n')[0] ?? ''
}
