// Owns the options that say from where redriven runs go on.
import type { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import type { RedriveFrom } from '../../sdk/redrives.ts'
import { text } from '../option-values.ts'

export interface FromChoices {
  readonly fromStart?: boolean
  readonly fromStep?: string
  readonly latest?: boolean
}

export function withFromOptions(command: Command): Command {
  return command
    .option('--from-start', 'as a new run, from the start; otherwise from where it failed')
    .option('--from-step <step>', 'as a new run, from this step on', text('--from-step'))
}

export function fromOf({ fromStart, fromStep, latest }: FromChoices): RedriveFrom {
  if (fromStart && fromStep !== undefined)
    throw new MillraceError('command_invalid', 'Both --from-start and --from-step are given.', {
      hint: 'Leave one out.',
    })
  return {
    ...(fromStart && { from: 'start' }),
    ...(fromStep !== undefined && { from: { step: fromStep } }),
    ...(latest && { version: 'latest' }),
  }
}
