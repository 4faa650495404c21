// The bar of a run that is waited for, as a terminal gets it.
import { afterEach, expect, test, vi } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { poolCaller } from '../db/call.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { showProgress } from './run-progress.ts'
import { createTerminal } from './terminal.ts'

const { database, opened } = await openMillrace()
const isTTY = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY')
afterEach(() => {
  vi.restoreAllMocks()
  if (isTTY === undefined) Reflect.deleteProperty(process.stderr, 'isTTY')
  else Object.defineProperty(process.stderr, 'isTTY', isTTY)
})

test('the bar shows how far the run is, and changes no setting of the terminal, which an end by Ctrl-C would leave so', async () => {
  let shown = ''
  Object.defineProperty(process.stderr, 'isTTY', { value: true, configurable: true })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    shown += String(text)
    return true
  })
  const two = pipeline('two')
    .step('first', () => 1)
    .step('second', () => 2)
  const { run } = await opened.client().start(two, null)
  const streams = { stdout: process.stdout, stderr: process.stderr, environment: {} }
  const caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
  const hide = showProgress(createTerminal(streams, false), caller, run!.id)
  try {
    await until('a look has been drawn', () => shown.includes('0 of 2 done'))
  } finally {
    await hide()
  }
  expect(shown).not.toContain('\u001b[?')
})
