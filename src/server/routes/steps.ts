// The routes of executors outside.
import { actorName } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { toStepError } from '../../core/errors.ts'
import { checkJson } from '../../core/json.ts'
import { metadataPatch, metricReport, partText, progressText } from '../../core/reports.ts'
import { uuidV7 } from '../../core/uuid.ts'
import { completeRun, ensureRun } from '../../db/runs.ts'
import {
  completeStep,
  failStep,
  heartbeatStep,
  logStep,
  releaseStep,
  reportStep,
  type StepKey,
  startStep,
} from '../../db/steps.ts'
import { pauseWords } from '../../sdk/paused-starts.ts'
import type { StepReport, Thrown } from '../../api/steps.ts'
import { payloadsFor } from '../payloads.ts'
import { type Route, route } from '../route.ts'
import { checkPipeline, tenantWithin, withoutOthers } from '../within.ts'

export const stepRoutes: readonly Route[] = [
  route(operations.ensureRun, async ({ body, actor, within, room, caller }) => {
    checkPipeline(within, body.pipeline)
    const tenant = tenantWithin(within, body.tenant) ?? null
    const start = {
      slug: body.pipeline,
      id: body.run ?? uuidV7(room.now(), room.random(10)),
      input: checkJson(body.input ?? null, { what: `the input of pipeline '${body.pipeline}'` }),
      tenant,
      headers: JSON.stringify({ ...body.headers, 'millrace-actor': actorName(actor) }),
      silenceSeconds: body.silence_seconds ?? null,
    }
    const { created, reason, run_id: id } = await ensureRun(caller, start)
    if (created) return { created, run: { id: id! } }
    const told = { created, reason: reason as 'live' }
    if (id !== null) return { ...told, run: { id } }
    if (reason !== 'paused') return { ...told, run: null }
    const [why = ''] = await pauseWords(caller, [{ ...start, version: null }])
    return { ...told, run: null, why: await withoutOthers(actor, room.reads, why) }
  }),

  route(operations.startStep, async ({ params, body, actor, caller, room }) => {
    const { item_value, ...started } = await startStep(caller, {
      runId: params.run,
      step: params.step,
      item: body.item ?? -1,
      heldBy: body.name ?? actorName(actor),
      leaseSeconds: body.lease_seconds,
      holder: body.holder ?? uuidV7(room.now(), room.random(10)),
    })
    return { ...started, ...payloadsFor(actor, { item_value }) }
  }),

  route(operations.heartbeatStep, async ({ params, body, caller }) => ({
    wanted: await heartbeatStep(caller, keyOf(params, body)),
  })),

  route(operations.logStep, async ({ params, body, caller }) => {
    const fields = checkJson(body.fields ?? {}, { what: 'the fields of a log line', maxBytes: 16_384 })
    await logStep(caller, keyOf(params, body), body.message, fields)
  }),

  route(operations.reportStep, async ({ params, body, caller }) => {
    const number = body.kind === 'part' ? (body.number ?? null) : null
    await reportStep(caller, keyOf(params, body), { kind: body.kind, body: reportText(body), number })
  }),

  route(operations.completeStep, async ({ params, body, caller }) => {
    const output = checkJson(body.output ?? null, { what: `the output of step '${params.step}'` })
    return { recorded: await completeStep(caller, keyOf(params, body), output) }
  }),

  route(operations.failStep, async ({ params, body, caller, room }) => {
    const draw = room.random(4).reduce((sum, byte) => (sum + byte) / 256, 0)
    const error = JSON.stringify(storedError(body.error))
    return { retry_at: await failStep(caller, keyOf(params, body), error, draw) }
  }),

  route(operations.releaseStep, async ({ params, body, caller }) => {
    await releaseStep(caller, keyOf(params, body), body.reason ?? 'released')
  }),

  route(operations.completeRun, async ({ params, body, caller }) => {
    const error = body.error === undefined ? null : JSON.stringify(storedError(body.error))
    return { state: (await completeRun(caller, params.run, error)) as 'completed' }
  }),
]

function keyOf(
  params: { readonly run: string; readonly step: string },
  { attempt, item = -1 }: { readonly attempt: number; readonly item?: number | undefined },
): StepKey {
  return { runId: params.run, step: params.step, item, attempt }
}

/** @throws MillraceError progress_invalid, metric_invalid, json_invalid, json_too_large */
function reportText(body: StepReport): string {
  if (body.kind === 'progress') return progressText(body.done, body.total, body.note)
  if (body.kind === 'metadata') return JSON.stringify(Object.fromEntries(metadataPatch(body.patch)))
  if (body.kind === 'metric') return metricReport(body.name, body.value, body.labels).text
  return partText(body.value)
}

/** As it is kept of what a handler throws: a code, a message, and whether and when to try again. Nothing else of it is stored. */
function storedError({ code, message, retryable, retry_after_seconds: seconds }: Thrown): object {
  const { classes: _, ...error } = toStepError(
    Object.assign(new Error(message), code === undefined ? {} : { code }),
  )
  return {
    ...error,
    ...(retryable === undefined ? {} : { retryable }),
    ...(seconds === undefined ? {} : { retry_after_ms: Math.round(seconds * 1_000) }),
  }
}
