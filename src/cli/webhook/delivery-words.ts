// Owns the words in which commands tell a delivery.
import { dateWords } from '../../core/wording.ts'
import type { DeliveryInfo } from '../../sdk/webhooks.ts'
import type { Terminal } from '../terminal.ts'

type RunOfDelivery = DeliveryInfo['runs'][number]

/** 'accepted', 'refused: signature_wrong'. */
export function stateWords({ state, reason }: Pick<DeliveryInfo, 'state' | 'reason'>): string {
  return reason === null ? state : `${state}: ${reason}`
}

/** 'people started 0198…', 'people refused by throttle, until 2030-01-31 08:00:00 UTC'. */
export function runWords({ pipeline, outcome, run, rule, passesAt }: RunOfDelivery): string {
  if (outcome === 'paused') return `${pipeline} refused: paused`
  if (outcome === 'limit')
    return `${pipeline} refused by ${rule}${passesAt === null ? '' : `, until ${dateWords(passesAt)} UTC`}`
  const words = { started: 'started', coalesced: 'went into', live: 'has live' } as const
  return `${pipeline} ${words[outcome]} run ${run}`
}

export function paintState({ colours }: Terminal, cell: string): string {
  if (cell.startsWith('accepted')) return colours.green(cell)
  return cell.startsWith('failed') ? colours.red(cell) : colours.yellow(cell)
}
