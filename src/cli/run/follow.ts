// millrace run follow: prints what a run writes into its stream, as it comes, until the run has ended.
import { Command } from 'commander'
import { printable } from '../../core/printable.ts'
import { count } from '../../core/wording.ts'
import { connect } from '../../sdk/client.ts'
import type { StreamPart } from '../../sdk/run-stream.ts'
import { wholeNumber } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import { remoteParts, remoteResult } from '../remote/run-end.ts'
import { noteProgress } from '../run-progress.ts'
import type { CurrentSession, Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'

interface Choices {
  readonly from: number
  readonly raw?: boolean
}

const positionMax = 100_000

export function followCommand(current: CurrentSession): Command {
  return new Command('follow')
    .description('print what a run writes into its stream, part by part, until it ends')
    .argument('<run>', 'the id of the run')
    .option('--from <position>', 'the first part to print', wholeNumber('--from', 0, positionMax), 0)
    .option('--raw', 'print texts as they are, without an end of line after each')
    .action(async (run: string, choices: Choices) => follow(current(), runIdOf(run), choices))
}

/** @throws MillraceError run_failed, run_cancelled, run_unknown */
async function follow(session: Session, runId: string, { from, raw }: Choices): Promise<void> {
  const { terminal, remote } = session
  if (remote !== undefined) {
    let parts = 0
    for await (const part of remoteParts(remote, runId, from)) {
      printPart(terminal, part, raw === true)
      parts++
    }
    await remoteResult(remote, runId)
    terminal.note(`Run ${runId} is completed: ${count(parts, 'part', 'parts')}.`)
    return
  }
  await session.withDatabase(async ({ url, directUrl, caller }) => {
    const client = connect({
      database: url,
      encryptionKeys: (await session.findConfig())?.config.encryptionKeys,
      ...(directUrl !== undefined && { directDatabase: directUrl }),
    })
    const endProgress = noteProgress(terminal, caller, runId)
    try {
      const run = client.run(runId)
      let parts = 0
      for await (const part of run.stream({ from })) {
        printPart(terminal, part, raw === true)
        parts++
      }
      await endProgress()
      await run.result()
      terminal.note(`Run ${runId} is completed: ${count(parts, 'part', 'parts')}.`)
    } finally {
      await endProgress()
      await client.close()
    }
  })
}

function printPart(terminal: Terminal, part: StreamPart, isRaw: boolean): void {
  const { position, step, item, attempt, value, writtenAt } = part
  terminal.answerLine({ position, step, item, attempt, value, written_at: writtenAt })
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  // A terminal obeys some control characters, and what a run writes is nobody's command. Piped, it is data.
  const shown = terminal.isTerminal ? printable(text) : text
  terminal.write(isRaw && typeof value === 'string' ? shown : `${shown}\n`)
}
