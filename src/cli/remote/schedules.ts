// Schedules over HTTP.
import type { HttpClient } from '../../client/http-client.ts'
import { each } from '../../client/pages.ts'
import type {
  BackfilledRow,
  FiringRow,
  Overlap,
  ScheduleRow,
  ScheduleSettings,
  TriggeredRow,
} from '../../db/schedules.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, revisionOf, rowOf, valueOf } from './statements.ts'

type Row = Omit<ScheduleRow, 'id'>

export function scheduleStatements(client: HttpClient): RemoteStatements {
  return {
    ...reading(client),
    ...changing(client),
    // For the ages that lists show; what is due is decided where the schedule is.
    millrace_read_clock: async () => [{ now: new Date() }],
  }
}

function reading(client: HttpClient): RemoteStatements {
  return {
    millrace_list_schedules: async (
      name: string | null,
      pipeline: string | null,
      tenant: string | null,
      after: string | null,
      most: number,
    ) => {
      if (name !== null)
        return (await oneOrNone(client.showSchedule({ params: { schedule: name } }))).map(rowOf<Row>)
      const rows: Row[] = []
      for await (const told of each(client.listSchedules, { query: given({ pipeline, tenant }) })) {
        if (after === null || told.name > after) rows.push(rowOf<Row>(told))
        if (rows.length >= most) break
      }
      return rows
    },
    millrace_list_firings: async (
      schedule: string,
      states: readonly string[] | null,
      before: number | null,
      most: number,
    ) => {
      const query = given({ state: states?.join(','), before })
      return (await firstOf(client.listFirings, { params: { schedule }, query }, most)).map(rowOf<FiringRow>)
    },
  }
}

function changing(client: HttpClient): RemoteStatements {
  return {
    millrace_define_schedule: async (
      schedule: string,
      pipeline: string,
      settings: string,
      revision: number | null,
    ) => [
      await client.defineSchedule({
        params: { schedule },
        body: {
          pipeline,
          ...(JSON.parse(settings) as ScheduleSettings & { expect?: Record<string, unknown> }),
        },
        ...revisionOf(revision),
      }),
    ],
    millrace_remove_schedule: async (schedule: string, revision: number | null) => [
      await client.removeSchedule({ params: { schedule }, ...revisionOf(revision) }),
    ],
    millrace_pause_schedule: async (schedule: string, reason: string | null, revision: number | null) => [
      await client.pauseSchedule({ params: { schedule }, body: given({ reason }), ...revisionOf(revision) }),
    ],
    millrace_resume_schedule: async (schedule: string, revision: number | null) => [
      await client.resumeSchedule({ params: { schedule }, body: {}, ...revisionOf(revision) }),
    ],
    millrace_trigger_schedule: async (schedule: string, input: string | null, overlap: Overlap | null) => [
      rowOf<TriggeredRow>(
        await client.triggerSchedule({
          params: { schedule },
          body: given({ input: valueOf(input).value, overlap }),
        }),
      ),
    ],
    millrace_backfill_schedule: async (
      schedule: string,
      slots: readonly string[],
      overlap: 'queue_all' | 'allow',
      stagger_ms: number,
      dry_run: boolean,
    ): Promise<BackfilledRow[]> => {
      const [from, until] = [slots[0], slots.at(-1)]
      if (from === undefined || until === undefined) return [{ queued: 0, fired_before: 0 }]
      return [
        await client.backfillSchedule({
          params: { schedule },
          body: { from, until, overlap, stagger_ms, dry_run },
        }),
      ]
    },
  }
}
