// The operations on signals: messages from outside, to a run or to whoever waits for a name.
import { z } from 'zod'
import { operation } from './operation.ts'
import { runParams } from './run-params.ts'
import { json, name } from './values.ts'

const sent = z
  .object({
    id: z.string(),
    woke: z.int().describe('How many waiting steps it reached.'),
    kept: z.boolean().describe('It is kept for the next one that waits for it.'),
  })
  .meta({ id: 'SignalSent' })

const signal = {
  name,
  payload: json.optional(),
  idempotency_key: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('Sent again under the same key it is the same signal.'),
}

const sendSignal = operation({
  name: 'sendSignal',
  method: 'post',
  path: '/signals',
  tag: 'signals',
  summary: 'Send a signal to its name: the oldest step that waits for it gets it.',
  access: { scope: 'signals:send', role: 'operator', subject: 'installation' },
  body: z.strictObject({
    ...signal,
    all: z.boolean().optional().describe('To all that wait for the name now.'),
  }),
  answer: sent,
  errors: ['json_invalid', 'json_too_large', 'argument_invalid'],
})

const signalRun = operation({
  name: 'signalRun',
  method: 'post',
  path: '/runs/{run}/signals',
  tag: 'signals',
  summary: 'Send a signal to a run.',
  access: { scope: 'signals:send', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject(signal),
  answer: sent,
  errors: ['run_unknown', 'run_ended', 'json_invalid', 'json_too_large', 'argument_invalid'],
})

export const signalOperations = { sendSignal, signalRun } as const
