// A process is recognised later, and not mistaken for another one with its pid.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { describeProcess, isLiving } from './living-process.ts'

describe('a described process', () => {
  it('lives while it runs and is dead when it was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await once(child, 'spawn')
    const description = describeProcess(child.pid)
    expect(isLiving(description)).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(isLiving(description)).toBe(false)
  })

  it.runIf(process.platform === 'linux')('is dead when another process has its pid', () => {
    expect(isLiving(describeProcess())).toBe(true)
    expect(isLiving(`${process.pid} 1`)).toBe(false)
  })

  it.each(['', 'nonsense', '-1', '0', '4194305'])('is nobody when the description is %j', (description) => {
    expect(isLiving(description)).toBe(false)
  })
})
