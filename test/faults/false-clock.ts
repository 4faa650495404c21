// A program that sees another time than the machine has, by the library of Debian's package faketime.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'

const faketime = '/usr/bin/faketime'

export const isFaketimeThere = fs.existsSync(faketime)

/**
 * The environment in which a program sees such a clock. The command faketime itself would stand between us and the program, which
 * would survive it. What only counts, and can't be set on a real machine either, is left alone.
 */
export function withClock(clock: string): Record<string, string> {
  const preload = execFileSync(faketime, ['-f', clock, 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()
  return { LD_PRELOAD: preload, FAKETIME: clock, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
}

/** The library keeps a clock that processes share, and a program that is killed would leave it behind: nobody else asks for it. */
export function forgetSharedClock(processId: number): void {
  for (const name of [`faketime_shm_${processId}`, `sem.faketime_sem_${processId}`])
    fs.rmSync(`/dev/shm/${name}`, { force: true })
}
