// The Debian packages that some tests need: what each is for, whether it is there, and its installation.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** The only list of them. What only benchmarks need is installed by these. */
export const debian_packages = [
  { name: 'pgbouncer', file: '/usr/sbin/pgbouncer', tests: 'the tests behind a transaction pooler' },
  { name: 'faketime', file: '/usr/bin/faketime', tests: 'the tests with a worker whose clock is wrong' },
  { name: 'strace', file: '/usr/bin/strace', tests: 'the faults in which a disk refuses to sync' },
  {
    name: 'postgresql-15-plpgsql-check',
    file: '/usr/lib/postgresql/15/lib/plpgsql_check.so',
    tests: 'the static check of the SQL functions',
  },
  { name: 'spin', file: '/usr/bin/spin', tests: 'the check of the models of leases and of parking' },
  { name: 'zsh', file: '/usr/bin/zsh', tests: 'the completions in zsh' },
  { name: 'fish', file: '/usr/bin/fish', tests: 'the completions in fish' },
  { name: 'gcc', file: '/usr/bin/gcc', tests: 'the check of the models of leases and of parking' },
  {
    name: 'libc6-dev',
    file: '/usr/include/stdio.h',
    tests: 'the check of the models of leases and of parking',
  },
  { name: 'redis-server', file: '/usr/bin/redis-server', benchmarks: 'the peers on Redis' },
]

/** Installs what is missing where that is possible without asking; says in a sentence each what is left out. */
export function ensureDebianPackages() {
  const needed = debian_packages.filter(({ tests }) => tests !== undefined)
  for (const { name, tests } of installDebianPackages(needed.map(({ name }) => name)))
    console.log(`Left out: ${tests}, because the Debian package ${name} is not installed.`)
}

/** Installs what is missing of these where that is possible without asking, and answers with what is still missing. */
export function installDebianPackages(names) {
  const missing = missingPackages(names)
  if (missing.length > 0 && canInstall()) install(missing.map(({ name }) => name))
  return missingPackages(names)
}

function missingPackages(names) {
  return debian_packages.filter(({ name, file }) => names.includes(name) && !existsSync(file))
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
