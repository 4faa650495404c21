// millrace webhook listen: takes the webhooks of the configuration on a port of its own until it is told to stop.
import { Command, InvalidArgumentError } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { isIpRange } from '../../core/ip-ranges.ts'
import { isWebhook } from '../../sdk/webhook.ts'
import type { Webhooks } from '../../sdk/webhooks.ts'
import type { Trigger } from '../../sdk/trigger.ts'
import { listenForWebhooks, type WebhookServer } from '../../triggers/webhook-server.ts'
import { text, wholeNumber } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { withWebhooks } from './webhooks.ts'

interface Choices {
  readonly port: number
  readonly host: string
  readonly trustedProxy?: string[]
}

export function listenCommand(current: CurrentSession): Command {
  return new Command('listen')
    .description('take the webhooks of millrace.config.ts as POST /webhooks/NAME until it is stopped')
    .option('--port <n>', 'the port; 0 for any that is free', wholeNumber('--port', 0, 65_535), 8_787)
    .option('--host <address>', 'the address to listen on', text('--host'), '127.0.0.1')
    .option(
      '--trusted-proxy <address...>',
      'believe X-Forwarded-For where it comes from this address or network',
      network,
    )
    .action(async (choices: Choices) => {
      const session = current()
      await session.needConfig()
      await withWebhooks(session, (webhooks, triggers) => listen(session, webhooks, triggers, choices))
    })
}

async function listen(
  session: Session,
  webhooks: Webhooks,
  triggers: readonly Trigger[],
  { port, host, trustedProxy = [] }: Choices,
): Promise<void> {
  const names = triggers.filter(isWebhook).map(({ name }) => name)
  if (names.length === 0)
    throw new MillraceError('command_invalid', 'The configuration has no webhook.', {
      hint: "Add one: triggers: [webhook('people', { … })]",
    })
  const onError = (error: unknown) =>
    session.terminal.note(error instanceof Error ? error.message : String(error))
  const handler = webhooks.handler(triggers, { onError })
  // Where the database can't be reached yet, the first request does it.
  await webhooks.register(triggers).catch(onError)
  const server = await opened(
    () => listenForWebhooks(handler, { port, host, trustedProxies: trustedProxy }),
    host,
    port,
  )
  const shown = server.host.includes(':') ? `[${server.host}]` : server.host
  session.terminal.answerLine({ host: server.host, port: server.port, webhooks: names })
  session.terminal.print(`Listening on http://${shown}:${server.port}/webhooks/ for ${names.join(', ')}.`)
  await signalled()
  await server.close()
}

/** A second signal ends the process at once: by then nobody listens for one. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const heard = (): void => {
      for (const signal of signals) process.off(signal, heard)
      resolve()
    }
    for (const signal of signals) process.on(signal, heard)
  })
}

const signals = ['SIGINT', 'SIGTERM'] as const

async function opened(
  open: () => Promise<WebhookServer>,
  host: string,
  port: number,
): Promise<WebhookServer> {
  try {
    return await open()
  } catch (error) {
    throw new MillraceError(
      'command_invalid',
      `Nothing can listen on ${host}, port ${port}: ${(error as Error).message}.`,
      {
        hint: 'Choose others with --host and --port.',
        cause: error,
      },
    )
  }
}

function network(value: string, before: readonly string[] = []): string[] {
  if (isIpRange(value)) return [...before, value]
  throw new InvalidArgumentError('It takes an address or a network such as 10.0.0.0/8.')
}
