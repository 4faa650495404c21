// The versions of what was measured, as the packages themselves say them.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender } from './contenders.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const ours = path.join(here, '..', '..', 'package.json')

/** `pg-boss 12.38.0`, by the peer's name. */
export function versionsOf(contenders: readonly Contender[]): Record<string, string> {
  return Object.fromEntries(
    contenders.map(({ peer: { name, packages } }) => [
      name,
      packages.map((one) => `${one} ${versionOf(one)}`).join(', '),
    ]),
  )
}

function versionOf(name: string): string {
  const manifest = name === 'millrace' ? ours : path.join(here, 'node_modules', name, 'package.json')
  return (JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version: string }).version
}
