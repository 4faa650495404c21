// npm run check: types, format, lint, unused code and the package, two at a time, with the output of those that fail.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const concurrency = 2
const limitSeconds = 300
const onWindows = process.platform === 'win32'
const running = new Set()

// The package is judged as built, so its check builds first. Each other check is one command of one tool.
const checks = [
  { name: 'types', commands: [['typescript', 'tsc', '-p', 'tsconfig.test.json']] },
  { name: 'lint', commands: [['oxlint', 'oxlint', '--type-aware', '--deny-warnings']] },
  { name: 'format', commands: [['@biomejs/biome', 'biome', 'check', '--error-on-warnings', '.']] },
  { name: 'unused', commands: [['knip', 'knip', '--no-progress']] },
  {
    name: 'package',
    commands: [
      ['typescript', 'tsc', '-b'],
      ['publint', 'publint', '--strict'],
    ],
  },
]

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])
  process.once(signal, () => {
    for (const kill of running) kill()
    process.exit(status)
  })

const results = await runChecks(checks)
process.exitCode = results.every((result) => result.passed) ? 0 : 1

/** Runs the checks, prints a line for each as it ends, and answers with all results. */
async function runChecks(all) {
  const waiting = [...all]
  const results = []
  const lane = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const result = await runCheck(check)
      print(result)
      results.push(result)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return results
}

async function runCheck({ name, commands }) {
  const begun = performance.now()
  let output = ''
  for (const [packageName, bin, ...args] of commands) {
    const ended = await run(binPath(packageName, bin), args)
    output += ended.output
    if (ended.status !== 0) return { name, passed: false, seconds: secondsSince(begun), output }
  }
  return { name, passed: true, seconds: secondsSince(begun), output }
}

// By node and the tool's own file rather than .bin, whose scripts differ between systems.
function binPath(packageName, bin) {
  const manifestPath = join(root, 'node_modules', packageName, 'package.json')
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'))
  return join(dirname(manifestPath), typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[bin])
}

/** Each tool has a process group of its own: some start programs that would outlive them, and a type may recur for ever. */
function run(file, args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...args], {
      cwd: root,
      detached: !onWindows,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const kill = () => endGroup(child)
    const tooLong = setTimeout(() => {
      output += `\nended after ${limitSeconds} s\n`
      kill()
    }, limitSeconds * 1000)
    running.add(kill)
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => (output += `${error.message}\n`))
    child.on('close', (status) => {
      clearTimeout(tooLong)
      running.delete(kill)
      resolve({ status: status ?? 1, output })
    })
  })
}

function endGroup(child) {
  if (onWindows) child.kill()
  else if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
}

function secondsSince(begun) {
  return (performance.now() - begun) / 1000
}

function print({ name, passed, seconds, output }) {
  console.log(`${passed ? 'ok  ' : 'FAIL'}  ${name.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s`)
  if (!passed) console.log(output.trimEnd().replace(/^/gm, '      '))
}
