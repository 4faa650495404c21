// Runs over HTTP: what the commands of runs ask of the database, asked of the API.
import type { HttpClient } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import type { RunState } from '../../core/state.ts'
import { dateWords } from '../../core/wording.ts'
import type { EncryptionRow } from '../../db/sealed.ts'
import type { CopyRow } from '../../db/redrives.ts'
import type { RunRow, RunValues } from '../../db/run-list.ts'
import type { StartAnswerRow } from '../../db/runs.ts'
import type { ProgressRow } from '../../db/streams.ts'
import type { NeedRow, WhyRow } from '../../db/whys.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, revisionOf, rowOf, valueOf } from './statements.ts'

export function runStatements(client: HttpClient): RemoteStatements {
  return { ...reading(client), ...changing(client), ...copying(client) }
}

type List = readonly [
  pipeline: string | null,
  states: readonly RunState[] | null,
  key: string | null,
  tenant: string | null,
  limit: number,
  pipelines: null,
  before: null,
  fingerprint?: string,
]

function reading(client: HttpClient): RemoteStatements {
  // The list says it of each run: whoever asks afterwards asks about these.
  let needed: readonly NeedRow[] = []
  const list = async (
    ...[pipeline, states, key, tenant, limit, , , fingerprint]: List
  ): Promise<RunRow[]> => {
    const query = { needs: true, ...given({ pipeline, state: states?.join(','), key, tenant, fingerprint }) }
    const found = await firstOf(client.listRuns, { query }, limit)
    needed = found.flatMap(({ id, pipeline, needs }) => (needs ? [{ run_id: id, pipeline, ...needs }] : []))
    return found.map((run) => rowOf<RunRow>(run))
  }
  return {
    millrace_list_runs: list,
    millrace_list_pipeline_runs: list,
    millrace_list_failed_runs: list,
    millrace_list_runs_by_state: list,
    millrace_run_account: async (run: string) => {
      const { payloads_hidden: _, ...account } = await client.accountRun({ params: { run } })
      return [{ account }]
    },
    millrace_read_run_values: async (run: string): Promise<RunValues[]> => {
      const [found] = await oneOrNone(client.showRun({ params: { run } }))
      if (found === undefined) return []
      const { input, output, headers, output_left_out } = found
      return [
        {
          ...{ input, output, headers: headers as RunValues['headers'] },
          ...(output_left_out === true && { output_left_out }),
        },
      ]
    },
    millrace_why: async (run: string, step: string | null, item: number | null): Promise<WhyRow[]> => {
      const told = await client.whyRun({ params: { run }, query: given({ step, item }) })
      const { reason, sentence, due_at } = told
      return [rowOf<WhyRow>({ reason, sentence, told_step: told.step, told_item: told.item, due_at })]
    },
    millrace_read_progress: async (run: string): Promise<ProgressRow[]> => {
      const {
        state,
        done,
        known,
        percent,
        payloads_hidden: _,
        ...reports
      } = await client.readProgress({
        params: { run },
      })
      return [{ state, done, known, percent, reports }]
    },
    millrace_needs_version: async () => needed,
    // What the server gives is in the clear already, where it has the key.
    millrace_run_encryption: async (runs: readonly string[]): Promise<EncryptionRow[]> =>
      runs.map((run_id) => ({ run_id, is_encrypted: false, last_steps: [] })),
  }
}

function changing(client: HttpClient): RemoteStatements {
  return {
    millrace_start_runs: startRuns(client),
    millrace_start_runs_patiently: startRuns(client),
    millrace_cancel_run: async (
      run: string,
      reason: string | null,
      undo: boolean,
      revision: number | null,
    ) => [
      await client.cancelRun({
        params: { run },
        body: { ...given({ reason }), ...(undo ? { undo } : {}) },
        ...revisionOf(revision),
      }),
    ],
    millrace_pause_run: async (run: string, reason: string | null, revision: number | null) => [
      await client.pauseRun({ params: { run }, body: given({ reason }), ...revisionOf(revision) }),
    ],
    millrace_resume_run: async (run: string, revision: number | null) => [
      await client.resumeRun({ params: { run }, body: {}, ...revisionOf(revision) }),
    ],
    millrace_prioritize_run: async (run: string, priority: number, revision: number | null) => [
      await client.prioritizeRun({ params: { run }, body: { priority }, ...revisionOf(revision) }),
    ],
    millrace_delete_run: async (run: string, dry: boolean, reason: string | null) => {
      const { rows } = await client.deleteRun({
        params: { run },
        query: { dry_run: dry, ...given({ reason }) },
      })
      return [{ counts: rows }]
    },
    millrace_send_signal: async (
      name: string,
      payload: string | null,
      run: string | null,
      idempotency_key: string | null,
      all: boolean,
    ) => {
      const signal = { name, ...given({ payload: valueOf(payload).value, idempotency_key }) }
      const sent =
        run === null
          ? await client.sendSignal({ body: { ...signal, all } })
          : await client.signalRun({ params: { run }, body: signal })
      return [{ signal_id: Number(sent.id), woke: sent.woke, kept: sent.kept }]
    },
  }
}

type Column<Value> = readonly Value[] | null

/** The command line starts one run at a time; what was created and waits has no row. */
function startRuns(client: HttpClient) {
  return async (
    ids: readonly string[],
    slugs: readonly string[],
    _versions: readonly unknown[],
    inputs: readonly string[],
    priorities: Column<number>,
    tenants: Column<string>,
    headers: Column<string>,
    times: Column<Date>,
    keys: Column<string>,
  ): Promise<StartAnswerRow[]> => {
    const [run, pipeline, headerText] = [ids[0]!, slugs[0]!, headers?.[0]]
    const input: unknown = JSON.parse(inputs[0]!)
    const answer = await client.startRun({
      body: {
        run,
        pipeline,
        // None at all has the server take the defaults of the pipeline's schema.
        ...(input === null ? {} : { input }),
        ...given({
          priority: priorities?.[0],
          tenant: tenants?.[0],
          available_at: times?.[0]?.toISOString(),
        }),
        ...(headerText ? { headers: JSON.parse(headerText) as Record<string, string> } : {}),
      },
      ...(keys?.[0] ? { idempotencyKey: keys[0] } : {}),
    })
    const { created, reason, rule = null, passes_at = null, why } = answer
    if (created || reason === undefined) return []
    if (reason === 'paused')
      throw new MillraceError('pipeline_paused', `The start is refused: ${why}`, { fields: { pipeline } })
    if (reason === 'limit') {
      const until = passes_at === null ? '' : ` until ${dateWords(passes_at)} UTC`
      throw new MillraceError(
        'start_limited',
        `Rule '${rule}' on starts of '${pipeline}' refuses it${until}.`,
      )
    }
    return [
      {
        reason,
        run_id: run,
        live_run_id: answer.run?.id ?? null,
        task_id: null,
        step_id: null,
        rule,
        passes_at_ms: null,
      },
    ]
  }
}

function copying(client: HttpClient): RemoteStatements {
  const rows = (answer: {
    readonly created: boolean
    readonly run: { readonly id: string } | null
    readonly reason?: string | undefined
    readonly detail?: string | undefined
  }): CopyRow[] => [
    {
      created: answer.created,
      new_run: answer.run?.id ?? null,
      refusal: answer.reason ?? null,
      detail: answer.detail ?? null,
    },
  ]
  return {
    millrace_fork_run: async (
      of: string,
      step: string,
      run: string,
      version: 'original' | 'latest',
      input: string | null,
      keep_checkpoints: boolean,
      reason: string | null,
    ) =>
      rows(
        await client.forkRun({
          params: { run: of },
          body: { step, run, version, keep_checkpoints, ...given({ input: valueOf(input).value, reason }) },
        }),
      ),
    millrace_rerun_run: async (
      of: string,
      run: string,
      version: 'original' | 'latest',
      input: string | null,
      reason: string | null,
    ) =>
      rows(
        await client.rerunRun({
          params: { run: of },
          body: { run, version, ...given({ input: valueOf(input).value, reason }) },
        }),
      ),
  }
}
