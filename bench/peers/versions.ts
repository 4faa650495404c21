// The versions of what was measured: of packages as they themselves say them, of Millrace and the bench by their commit.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender } from './contenders.ts'
import type { Checkout } from './kept.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = path.join(here, '..', '..')
const ours = path.join(root, 'package.json')
/** The bench itself writes these with each row. */
const written = ['bench/peers/results.json', 'bench/RESULTS.md', 'bench/results.svg']

/** `pg-boss 12.38.0`, by the peer's name. */
export function versionsOf(contenders: readonly Contender[]): Record<string, string> {
  return Object.fromEntries(
    contenders.map(({ peer: { name, packages } }) => [
      name,
      packages.map((one) => `${one} ${versionOf(one)}`).join(', '),
    ]),
  )
}

/** Nothing where there is no repository, or where the build of another folder is measured. */
export function checkoutOf(): Checkout | undefined {
  if (process.env.BENCH_PRODUCT !== undefined) return undefined
  try {
    const commit = git('rev-parse', 'HEAD')
    const others = ['.', ...written.map((file) => `:(exclude)${file}`)]
    return {
      commit,
      hasChanges: git('status', '--porcelain', '--untracked-files=no', '--', ...others) !== '',
    }
  } catch {
    return undefined
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
}

function versionOf(name: string): string {
  const manifest = name === 'millrace' ? ours : path.join(here, 'node_modules', name, 'package.json')
  return (JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version: string }).version
}
