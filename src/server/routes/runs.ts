// The routes of runs.
import { type Actor, actorName } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { RunCipher, shown } from '../../core/run-cipher.ts'
import { isFinal } from '../../core/state.ts'
import { uuidV7 } from '../../core/uuid.ts'
import { type Transaction, transactionOf } from '../../db/call.ts'
import { runAccount } from '../../db/accounts.ts'
import { deleteRun } from '../../db/erasures.ts'
import { type ListedOutputRow, listOutputs } from '../../db/history.ts'
import { listRuns, readRun, type RunDetailRow, type RunRow } from '../../db/run-list.ts'
import { cancelRun, pauseRun, prioritizeRun, resumeRun } from '../../db/runs.ts'
import { readProgress } from '../../db/streams.ts'
import { type NeedRow, needsVersion, why } from '../../db/whys.ts'
import { type CopyAnswer, fork, redriveRun, rerun } from '../../sdk/redrives.ts'
import type { StartAnswer, StartOptions } from '../../sdk/start.ts'
import { checkedInput } from '../checked-input.ts'
import { defined } from '../defined.ts'
import { cursorOf, pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import {
  accountFor,
  errorFor,
  lineageFor,
  opened,
  payloadsFor,
  reportsFor,
  sealedRuns,
  startFor,
} from '../payloads.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route } from '../route.ts'
import {
  checkPipeline,
  hidingOthers,
  tenantWithin,
  withoutOtherParent,
  withoutOtherRuns,
  withoutOthers,
} from '../within.ts'

export const runRoutes: readonly Route[] = [
  route(operations.listRuns, async ({ query, within, room }) => {
    const { limit, cursor, state, needs, ...filter } = query
    const [before] = positionOf(cursor, ['uuid']) ?? []
    const rows = await listRuns(room.reads, {
      ...filter,
      tenant: tenantWithin(within, query.tenant),
      pipelines: within.pipelines ?? undefined,
      states: state,
      before: before as string | undefined,
      limit: limit + 1,
    })
    const page = pageOfRows(rows, limit, ({ id }) => [id])
    return needs === true ? { ...page, items: await withNeeds(room, page.items) } : page
  }),

  route(operations.startRun, async ({ body, actor, within, room, idempotencyKey }) => {
    checkPipeline(within, body.pipeline)
    const options = startOptions(body, actor, tenantWithin(within, body.tenant))
    const input = await checkedInput(room, body.pipeline, body.input)
    const answer = await startFor(actor, () =>
      room.client.start(body.pipeline, input, {
        ...options,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        ...(body.run === undefined ? {} : { runId: body.run }),
        ...joined(room),
      }),
    )
    const [told] = await startAnswers(actor, room, [answer])
    return told!
  }),

  route(operations.startMany, async ({ body, actor, within, room }) => {
    checkPipeline(within, body.pipeline)
    const options = startOptions(body, actor, tenantWithin(within, body.tenant))
    const inputs = await Promise.all(body.inputs.map((input) => checkedInput(room, body.pipeline, input)))
    const answers = await room.client.startMany(body.pipeline, inputs, {
      ...options,
      ...joined(room),
    })
    return { starts: await startAnswers(actor, room, answers) }
  }),

  route(operations.showRun, async ({ params, actor, room }) => {
    const {
      input,
      output,
      headers,
      is_output_left_out: isLeftOut,
      ...row
    } = await withoutOtherParent(actor, room.reads, await readRunOf(room, params.run))
    const sealed = sealedRuns(room)
    return {
      ...row,
      ...(isLeftOut && { output_left_out: true as const }),
      error: await errorFor(actor, room, row.id, row.error),
      ...payloadsFor(actor, {
        input: await opened(() => sealed.input(row.id, input), input),
        output: await opened(() => sealed.output(row.id, output), output),
        headers,
      }),
    }
  }),

  route(operations.accountRun, async ({ params, actor, room }) =>
    accountFor(
      actor,
      room,
      await withoutOtherRuns(actor, room.reads, await runAccount(room.reads, params.run)),
    ),
  ),

  route(operations.whyRun, async ({ params, query, actor, room }) => {
    const {
      told_step: step,
      told_item: item,
      sentence,
      ...told
    } = await why(room.reads, params.run, query.step, query.item)
    return { ...told, sentence: await withoutOthers(actor, room.reads, sentence), step, item }
  }),

  route(operations.readProgress, async ({ params, actor, room }) => {
    const { reports, ...progress } = await readProgress(room.reads, params.run)
    return {
      ...progress,
      ...reportsFor(actor, reports),
      ...(actor.payloads ? {} : { payloads_hidden: true }),
    }
  }),

  route(operations.runResult, async ({ params, query, actor, room }) => {
    if (query.wait_seconds > 0) await ended(room, params.run, query.wait_seconds)
    const { id, state, output, error: stored, is_output_left_out } = await readRunOf(room, params.run)
    if (is_output_left_out && actor.payloads)
      throw new MillraceError('output_too_large', `The output of run ${id} is larger than 8 MiB.`, {
        fields: { runId: id },
        hint: 'Read it page by page, from /runs/{run}/outputs.',
      })
    const error = await errorFor(actor, room, id, stored)
    const told = await opened(() => sealedRuns(room).output(id, output), output)
    return { ended: isFinal(state), state, error, ...payloadsFor(actor, { output: told }) }
  }),

  route(operations.listOutputs, async ({ params, query, actor, room }) => {
    const after = positionOf(query.cursor, ['text', 'place']) as [string, number] | undefined
    const rows = await listOutputs(room.reads, params.run, { after, most: query.limit })
    if (rows.length === 0) await readRunOf(room, params.run)
    const items = rows.map(async ({ step, item, outcome, output }) => {
      const value = await opened(async () => openedOutput(room, params.run, { step, item, output }), output)
      return { step, item: item < 0 ? null : item, outcome, output: payloadsFor(actor, { value }).value }
    })
    const last = rows.at(-1)
    return {
      items: await Promise.all(items),
      next: last?.more === true ? cursorOf([last.step, last.item]) : null,
      ...(actor.payloads ? {} : { payloads_hidden: true }),
    }
  }),

  route(operations.readLineage, async ({ params, actor, room }) => {
    const { lineage } = await runAccount(room.reads, params.run)
    return { ...lineageFor(actor, lineage), ...(actor.payloads ? {} : { payloads_hidden: true }) }
  }),

  route(operations.cancelRun, async ({ params, body, caller, ifRevision, room }) =>
    changing(room, params.run, () =>
      cancelRun(caller, params.run, body.reason ?? null, body.undo ?? false, ifRevision),
    ),
  ),

  route(operations.pauseRun, async ({ params, body, caller, ifRevision, room }) =>
    changing(room, params.run, () => pauseRun(caller, params.run, body.reason ?? null, ifRevision)),
  ),

  route(operations.resumeRun, async ({ params, caller, ifRevision, room }) =>
    changing(room, params.run, () => resumeRun(caller, params.run, ifRevision)),
  ),

  route(operations.prioritizeRun, async ({ params, body, caller, ifRevision, room }) =>
    changing(room, params.run, () => prioritizeRun(caller, params.run, body.priority, ifRevision)),
  ),

  route(operations.redriveRun, async ({ params, body, caller, room }) => {
    const answer = await redriveRun(caller, params.run, defined(await checkedEdit(room, params.run, body)))
    return answer.redriven ? answer : { ...answer, run: null }
  }),

  route(operations.forkRun, async ({ params, body, caller, room }) => {
    const {
      step,
      keep_checkpoints: keepCheckpoints = false,
      run,
      ...edit
    } = await checkedEdit(room, params.run, body)
    const source = { run: params.run, step, newRun: run ?? newRunId(room) }
    return copyAnswer(await fork(caller, source, { ...defined(edit), keepCheckpoints }))
  }),

  route(operations.rerunRun, async ({ params, body, caller, room }) => {
    const { run, ...edit } = await checkedEdit(room, params.run, body)
    return copyAnswer(await rerun(caller, { run: params.run, newRun: run ?? newRunId(room) }, defined(edit)))
  }),

  route(operations.deleteRun, async ({ params, query, caller }) => {
    const dry = query.dry_run ?? false
    const rows = await deleteRun(caller, params.run, { dry, reason: query.reason ?? null })
    return { rows, deleted: !dry }
  }),
]

/** An input in the place of the run's own is held against the same schema as that of a start. */
async function checkedEdit<Edit extends { readonly input?: unknown }>(
  room: ServerRoom,
  run: string,
  edit: Edit,
): Promise<Edit> {
  if (edit.input === undefined) return edit
  const { pipeline } = await readRunOf(room, run)
  return { ...edit, input: await checkedInput(room, pipeline, edit.input) }
}

type Listed = RunRow & { readonly needs: Pick<NeedRow, 'version' | 'queue' | 'step'> | null }

/** Each with the version that it needs, where no live worker serves it. */
async function withNeeds({ reads }: ServerRoom, rows: readonly RunRow[]): Promise<Listed[]> {
  const live = rows.filter(({ state }) => !isFinal(state)).map(({ id }) => id)
  const found = live.length === 0 ? [] : await needsVersion(reads, live)
  const byRun = new Map(found.map(({ run_id, version, queue, step }) => [run_id, { version, queue, step }]))
  return rows.map((row) => ({ ...row, needs: byRun.get(row.id) ?? null }))
}

/** In the transaction that is open already, where there is one. */
function joined({ transaction }: ServerRoom): { readonly tx?: Transaction } {
  return transaction === undefined ? {} : { tx: transactionOf(transaction) }
}

interface Startable {
  readonly priority?: number | undefined
  readonly available_at?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Starts share commits and no transaction says who acts: so each says it in a header, which callers' own can't be. */
function startOptions(body: Startable, actor: Actor, tenant: string | undefined): StartOptions {
  return {
    ...(body.priority === undefined ? {} : { priority: body.priority }),
    ...(body.available_at === undefined ? {} : { availableAt: new Date(body.available_at) }),
    ...(tenant === undefined ? {} : { tenant }),
    headers: { ...body.headers, 'millrace-actor': actorName(actor) },
  }
}

/** A pause may be for the failure of a run of others. */
async function startAnswers(actor: Actor, { reads }: ServerRoom, answers: readonly StartAnswer[]) {
  const whys = answers.flatMap((answer) => ('why' in answer ? [answer.why] : []))
  const hiding = await hidingOthers(actor, reads, whys)
  return answers.map((answer) => startAnswer(answer, hiding))
}

function startAnswer(answer: StartAnswer, hiding: (why: string) => string) {
  if (answer.created) return { created: true, run: { id: answer.run.id } }
  const { created, reason } = answer
  if (answer.reason === 'paused') return { created, reason, run: null, why: hiding(answer.why) }
  if (answer.reason === 'limit')
    return { created, reason, run: null, rule: answer.rule, passes_at: answer.passesAt }
  const { run, rule } = answer
  return { created, reason, run: { id: run.id }, ...(rule === undefined ? {} : { rule }) }
}

function copyAnswer(answer: CopyAnswer) {
  const { created, run } = answer
  return 'detail' in answer
    ? { created, run, reason: answer.reason, detail: answer.detail }
    : { ...answer, run }
}

/** A change that was decided on an older revision is refused with the run as it stands, without what went into it. */
async function changing(
  room: ServerRoom,
  id: string,
  change: () => Promise<boolean>,
): Promise<{ changed: boolean }> {
  const read = async ({ reads }: ServerRoom) => {
    const row = await readRun(reads, id)
    if (row === undefined) return undefined
    const { input: _, output: __, headers: ___, is_output_left_out: ____, ...present } = row
    return present
  }
  return withPresent(room, async () => ({ changed: await change() }), read)
}

/** @throws MillraceError run_unknown */
async function readRunOf(room: ServerRoom, id: string): Promise<RunDetailRow> {
  const row = await readRun(room.reads, id)
  if (row !== undefined) return row
  throw new MillraceError('run_unknown', `There is no run ${id}.`, { fields: { runId: id } })
}

/** Waits for the end of a run; how it stands then is read anew. */
async function ended(room: ServerRoom, id: string, seconds: number): Promise<void> {
  try {
    await room.client.run(id).ended({ timeoutMs: seconds * 1_000 })
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'wait_timeout') return
    throw error
  }
}

function openedOutput(
  { cipher }: ServerRoom,
  id: string,
  { step, item, output }: Pick<ListedOutputRow, 'step' | 'item' | 'output'>,
): unknown {
  return cipher === undefined ? shown(output) : new RunCipher(cipher, id).openOutput(step, output, item)
}

function newRunId(room: ServerRoom): string {
  return uuidV7(room.now(), room.random(10))
}
