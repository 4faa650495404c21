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

/** Why the tests of a shell are left out, if they are. */
const isMissing = (shell: string): boolean => spawnSync(shell, ['--version']).error !== undefined

test.skipIf(isMissing('zsh'))('zsh is offered what may stand there, and keeps what fits', async () => {
  const script = await scriptOf('zsh')
  const zsh = (...words: string[]): string[] => {
    // What zsh itself brings while somebody types.
    const asked = `compdef() { }; compadd() { shift; print -l -- "$@" }
${script}
words=(millrace ${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length + 1}; _millrace`
    return execFileSync('zsh', ['-f', '-c', asked], { encoding: 'utf8' }).trim().split('\n')
  }
  expect(zsh('sched')).toContain('schedule')
  expect(zsh('run', 'pri')).toContain('prioritize')
  expect(zsh('run', 'list', '--st')).toContain('--state')
  expect(zsh('run', 'list', '--state', 'c')).toEqual(expect.arrayContaining(['completed', 'cancelled']))
  expect(zsh('--server', 'x', 'run', 'show', '--js')).toContain('--json')
})

test.skipIf(isMissing('fish'))('fish completes as bash does, and complains of nothing', async () => {
  empty.write('millrace.fish', await scriptOf('fish'))
  const fish = (line: string): string[] => {
    const { stdout, stderr } = spawnSync(
      'fish',
      ['--no-config', '-c', `source millrace.fish; complete -C '${line}'`],
      { encoding: 'utf8', cwd: empty.folder, env: { ...process.env, HOME: empty.folder } },
    )
    expect(stderr).toBe('')
    return stdout.split('\n').flatMap((offer) => (offer === '' ? [] : [offer.split('\t')[0]!]))
  }
  expect(fish('millrace sched')).toEqual(['schedule'])
  expect(fish('millrace run pri')).toEqual(['prioritize'])
  expect(fish('millrace run list --st')).toEqual(['--state'])
  expect(fish('millrace run list --state c')).toEqual(['cancelled', 'completed'])
  expect(fish('millrace --server x run show --js')).toEqual(['--json'])
})

test('each shell gets every command, in a script that it can read', async () => {
  for (const shell of shells) {
    const script = await scriptOf(shell)
    for (const word of ['dead-letter', 'login', 'prioritize', 'if-revision']) expect(script).toContain(word)
    empty.write(`millrace.${shell}`, script)
    const { status, error, stderr } = spawnSync(shell, ['-n', `millrace.${shell}`], {
      encoding: 'utf8',
      cwd: empty.folder,
      env: { ...process.env, HOME: empty.folder },
    })
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') continue
    expect({ shell, status, stderr }).toEqual({ shell, status: 0, stderr: '' })
  }
})
