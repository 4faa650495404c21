// Signals as a step waits for them, and as it gets them.
import { durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import type { Signal, SignalNames, SignalOptions, TimedOut } from '../sdk/durable.ts'
import { type Schema, validate } from '../sdk/standard-schema.ts'

const nameMax = 200

/** What the database is told of a wait for signals. @throws MillraceError step_option_invalid, duration_invalid, json_invalid */
export function signalWait(step: string, names: SignalNames, { timeout, take, match }: SignalOptions) {
  const signals = typeof names === 'string' ? [names] : [...names.any]
  if (signals.length === 0 || !signals.every((name) => name !== '' && name.length <= nameMax)) {
    throw new MillraceError(
      'step_option_invalid',
      `Step '${step}' waits for no signal, or for one whose name is no text of 1 to ${nameMax} characters.`,
      { fields: { step } },
    )
  }
  return {
    signals,
    take: take ?? 'next',
    match: match === undefined ? undefined : jsonOf(match, `the match of a durable.signal in step '${step}'`),
    ms:
      timeout === undefined
        ? undefined
        : durationMs(timeout, `The timeout of a durable.signal in step '${step}'`),
  }
}

/** The signal as the handler gets it, its payload checked. @throws MillraceError signal_invalid */
export async function signalOf(stored: unknown, schema: Schema | undefined): Promise<Signal | TimedOut> {
  const signal = stored as { timedOut?: boolean; name: string; payload: unknown; sentAt: string }
  if (signal.timedOut === true) return { timedOut: true }
  const { name, sentAt } = signal
  return { timedOut: false, name, sentAt, payload: await checked(signal.payload, schema, `signal '${name}'`) }
}

/** What a schema makes of a value that came from outside, in its JSON form. @throws MillraceError signal_invalid */
export async function checked(value: unknown, schema: Schema | undefined, what: string): Promise<unknown> {
  if (schema === undefined) return value ?? null
  const made = await validate(schema, value, { code: 'signal_invalid', what: `What came with ${what}` })
  return jsonOf(made, what)
}

function jsonOf(value: unknown, what: string): unknown {
  return JSON.parse(checkJson(value, { what }))
}
