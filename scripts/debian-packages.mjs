// The Debian packages that some tests need: what each is for, whether it is there, and its installation.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** The only list of them. */
export const debian_packages = [
  { name: 'pgbouncer', file: '/usr/sbin/pgbouncer', tests: 'the tests behind a transaction pooler' },
  { name: 'faketime', file: '/usr/bin/faketime', tests: 'the tests with a server whose clock jumps' },
  {
    name: 'postgresql-15-plpgsql-check',
    file: '/usr/lib/postgresql/15/lib/plpgsql_check.so',
    tests: 'the static check of the SQL functions',
  },
]

/** Installs what is missing where that is possible without asking; says in a sentence each what is left out. */
export function ensureDebianPackages() {
  const missing = missingPackages()
  if (missing.length > 0 && canInstall()) install(missing.map(({ name }) => name))
  for (const { name, tests } of missingPackages())
    console.log(`Left out: ${tests}, because the Debian package ${name} is not installed.`)
}

function missingPackages() {
  return debian_packages.filter(({ file }) => !existsSync(file))
}

function canInstall() {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
}

function install(names) {
  console.log(`Installing the Debian packages that tests need: ${names.join(', ')} …`)
  if (aptInstall(names)) return
  // A list that was never fetched, or an old one, names files that the mirror no longer has.
  apt(['update'])
  // One by one: a package that this release lacks must not keep the others out.
  for (const name of names) aptInstall([name])
}

function aptInstall(names) {
  return apt(['install', '--yes', '--no-install-recommends', ...names])
}

function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', ['--quiet', '--quiet', ...args], { env, stdio: 'ignore' }).status === 0
}
