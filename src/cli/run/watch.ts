// millrace run watch: shows a run while it goes on, until it has ended.
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import type { RunAccount } from '../../core/account-data.ts'
import { stepState } from '../../core/account-steps.ts'
import { isFinal } from '../../core/state.ts'
import { MillraceError } from '../../core/errors.ts'
import type { HttpClient } from '../../client/http-client.ts'
import { runAccount } from '../../db/accounts.ts'
import type { Caller } from '../../db/call.ts'
import { outputOf } from '../../sdk/result.ts'
import { liveView } from '../live-view.ts'
import { runIdOf } from '../run-id.ts'
import { waitLooksMs } from '../wait-looks.ts'
import type { CurrentSession, Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { printGlance } from './show.ts'

/** Over HTTP each look counts to the limit of the key, so events say when to look, as long as they are few. */
const apartMsStep = 250

export function watchCommand(current: CurrentSession): Command {
  return new Command('watch')
    .description('show a run with its steps while it goes on, until it has ended')
    .argument('<run>', 'the id of the run')
    .action(async (run: string) => watch(current(), runIdOf(run)))
}

/** @throws MillraceError run_unknown, run_failed, run_cancelled */
async function watch(session: Session, run: string): Promise<void> {
  const { terminal } = session
  const show = terminal.isTerminal ? drawing(session) : telling(terminal)
  let account: RunAccount | undefined
  await session.withDatabase(async ({ caller }) => {
    for await (const look of looks(session, caller, run)) {
      account = look
      show(look)
    }
  })
  const { pipeline, state, error } = account!.run
  outputOf(run, { slug: pipeline, state, output: null, error })
}

/** The run at each moment that may show something new, the last time when it has ended. */
async function* looks(
  { remote }: Session,
  caller: Caller,
  run: string,
): AsyncGenerator<RunAccount, void, undefined> {
  const news = remote === undefined ? undefined : followed(remote, run)
  try {
    for (let looked = 0; ; looked++) {
      const account = await runAccount(caller, run)
      yield account
      if (isFinal(account.run.state)) return
      if (news === undefined) await pause(waitLooksMs.database)
      else await news.next(Math.min(looked * apartMsStep, waitLooksMs.server))
    }
  } finally {
    news?.end()
  }
}

interface News {
  /** Resolves when the run has changed, or may have: not before this time has passed, unless the run has ended. */
  next(leastMs: number): Promise<void>
  end(): void
}

/** A step that goes on is no event of its run; each part of its stream is one. */
function followed(client: HttpClient, run: string): News {
  const [ending, ended] = [new AbortController(), new AbortController()]
  let isNew = false
  let wake = (): void => {}
  const follow = async (): Promise<void> => {
    for await (const { event } of client.followRun({ params: { run }, signal: ending.signal })) {
      isNew = true
      wake()
      if (event === 'end') ended.abort()
    }
  }
  // What is wrong with the server, the next look says.
  follow().catch(() => {})
  return {
    next: async (leastMs) => {
      await rest(leastMs, ended.signal)
      const woken = new AbortController()
      wake = () => woken.abort()
      if (!isNew) await rest(waitLooksMs.server - leastMs, woken.signal)
      isNew = false
    },
    end: () => ending.abort(new MillraceError('client_closed', 'The run is watched no more.')),
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => {})
}

function drawing({ terminal, surroundings }: Session): (account: RunAccount) => void {
  const view = liveView(terminal, surroundings)
  return (account) => view.draw((paper) => printGlance(paper, account))
}

/** A line for each state that is new: of the run, and of its steps. For programs all of them, where anything has changed. */
function telling(terminal: Terminal): (account: RunAccount) => void {
  const states = new Map<string, string>()
  let told = ''
  return (account) => {
    const { id, state, paused_at } = account.run
    const now = [
      [`run ${id}`, paused_at === null ? state : `${state}, paused`] as const,
      ...account.steps.map((step) => [`step ${step.step}`, stepState(account, step)] as const),
    ]
    for (const [what, state] of now) {
      if (states.get(what) === state) continue
      states.set(what, state)
      terminal.print(`${what} ${state}`)
    }
    const steps = account.steps.map((step) => ({ ...step, state: stepState(account, step) }))
    const line = `${JSON.stringify({ run: account.run, steps })}\n`
    if (line !== told) terminal.answerText(line)
    told = line
  }
}
