// Owns the options by which commands choose deliveries.
import type { Command } from 'commander'
import { Option } from 'commander'
import { type DeliveryState, deliveryStates } from '../../core/state.ts'
import type { DeliveryFilterOptions } from '../../sdk/webhooks.ts'
import { pastTime, text } from '../option-values.ts'

export interface FilterChoices {
  readonly webhook?: string
  readonly state?: DeliveryState
  readonly since?: Date
  readonly until?: Date
}

export function withFilterOptions(command: Command): Command {
  return command
    .option('--webhook <name>', 'only those of this webhook', text('--webhook'))
    .addOption(new Option('--state <state>', 'only those in this state').choices(deliveryStates))
    .option('--since <time>', 'received at or after this time: 2030-01-31T08:00Z, or 2h ago', pastTime)
    .option('--until <time>', 'received before this time', pastTime)
}

export function filterOf({ webhook, state, since, until }: FilterChoices): DeliveryFilterOptions {
  return {
    ...(webhook !== undefined && { webhook }),
    ...(state !== undefined && { state }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
}
