// What counts as one request to stop, with signals and a clock of our own.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { onStopSignal } from './stop-signals.ts'

function hear(): {
  send: (signal: 'SIGINT' | 'SIGTERM', ms: number) => void
  asked: string[]
  close: () => void
} {
  const process = new EventEmitter() as unknown as NodeJS.Process
  const asked: string[] = []
  let clock = 0
  const close = onStopSignal(process, (signal) => asked.push(`${signal} at ${clock}`), { now: () => clock })
  const send = (signal: 'SIGINT' | 'SIGTERM', ms: number): void => {
    clock = ms
    process.emit(signal, signal)
  }
  return { send, asked, close }
}

test('a signal that is passed on to a process that has had it is one request with it', () => {
  const { send, asked } = hear()
  send('SIGTERM', 0)
  send('SIGTERM', 40)
  send('SIGINT', 499)
  expect(asked).toEqual(['SIGTERM at 0'])
})

test('whoever goes on asking asks again, however fast the signals come', () => {
  const { send, asked } = hear()
  for (let ms = 0; ms <= 1_000; ms += 100) send('SIGINT', ms)
  expect(asked).toEqual(['SIGINT at 0', 'SIGINT at 500', 'SIGINT at 1000'])
})

test('once closed nothing is heard', () => {
  const { send, asked, close } = hear()
  close()
  send('SIGINT', 0)
  expect(asked).toEqual([])
})
