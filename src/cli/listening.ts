// Owns what commands that listen have in common: the options of the address, and what is said where it can't be had.
import { type Command, InvalidArgumentError } from 'commander'
import { MillraceError } from '../core/errors.ts'
import { isIpRange } from '../core/ip-ranges.ts'
import type { Listener } from '../server/listen.ts'
import { text, wholeNumber } from './option-values.ts'

export interface AddressChoices {
  readonly port?: number
  readonly host?: string
  readonly trustedProxy?: string[]
}

export const hostDefault = '127.0.0.1'
/** Of the server. */
export const portDefault = 7_337

export function withAddressOptions(command: Command, port: number): Command {
  return command
    .option(
      '--port <n>',
      `the port, ${port} by default; 0 for any that is free`,
      wholeNumber('--port', 0, 65_535),
    )
    .option('--host <address>', `the address to listen on, ${hostDefault} by default`, text('--host'))
    .option(
      '--trusted-proxy <address...>',
      'believe X-Forwarded-For and X-Forwarded-Proto where they come from this address or network',
      network,
    )
}

/** @throws MillraceError command_invalid where the system gives no such port */
export async function listening(opening: Promise<Listener>, host: string, port: number): Promise<Listener> {
  try {
    return await opening
  } catch (error) {
    const { message } = error as Error
    throw new MillraceError('command_invalid', `Nothing can listen on ${host}, port ${port}: ${message}.`, {
      hint: 'Choose others with --host and --port.',
      cause: error,
    })
  }
}

/** host:port as a URL has it. */
export function shownAddress({ host, port }: Pick<Listener, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function network(value: string, before: readonly string[] = []): string[] {
  if (isIpRange(value)) return [...before, value]
  throw new InvalidArgumentError('It takes an address or a network such as 10.0.0.0/8.')
}
