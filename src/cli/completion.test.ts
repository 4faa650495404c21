// Completions: made from the commands themselves, and read by a real bash; by zsh and fish where they are installed.
import { execFileSync, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../test/commands.ts'
import { shells } from './completion-scripts.ts'

let empty: Caller
beforeAll(() => {
  empty = openFolder()
})
afterAll(() => empty.close())

const scriptOf = async (shell: string): Promise<string> => (await empty.call('completion', shell)).stdout

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  const asked = `${await scriptOf('bash')}
COMP_WORDS=(millrace ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['--norc', '-c', asked], { encoding: 'utf8', cwd: empty.folder })
    .trim()
    .split('\n')
}

test('bash completes commands, options and the values of options where there are only so many', async () => {
  expect(await offered('sched')).toEqual(['schedule'])
  expect(await offered('run', 'pri')).toEqual(['prioritize'])
  expect(await offered('run', 'list', '--st')).toEqual(['--state'])
  expect(await offered('run', 'list', '--state', 'c')).toEqual(['completed', 'cancelled'])
  expect(await offered('run', 'list', '--pipeline', 'run')).toEqual([''])
  expect(await offered('--server', 'x', 'run', 'show', '--js')).toEqual(['--json'])
  empty.write('runs.json', '')
  expect(await offered('run', 'export', '--output', 'ru')).toEqual(['runs.json'])
})

test('each shell gets every command, in a script that it can read', async () => {
  for (const shell of shells) {
    const script = await scriptOf(shell)
    for (const word of ['dead-letter', 'login', 'prioritize', 'if-revision']) expect(script).toContain(word)
    const { status, error, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' })
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') continue
    expect({ shell, status, stderr }).toEqual({ shell, status: 0, stderr: '' })
  }
})
