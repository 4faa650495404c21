// millrace plan: what the pipelines and queries of this code would meet in the database, before anything is deployed.
import { Command } from 'commander'
import { graphChanges } from '../core/graph-changes.ts'
import { expectationQuery } from '../db/expectations.ts'
import {
  type DeclaredQuery,
  findQueryFaults,
  functionQuery,
  planPipelines,
  type PlannedGraph,
  planRuns,
} from '../db/plans.ts'
import type { Config } from '../sdk/config.ts'
import type { Schedule } from '../sdk/schedule.ts'
import type { Trigger } from '../sdk/trigger.ts'
import { type Plan, type PlannedPipeline, printPlan } from './plan-words.ts'
import type { OpenDatabase, CurrentSession } from './session.ts'

/** What `plan` ends with where live runs keep a version that the code does not serve. */
const statusOfTouchedRuns = 5
const statusOfFaults = 1

export function planCommand(current: CurrentSession): Command {
  return new Command('plan')
    .description(
      'compare the code with the database: new versions, live runs that they touch, queries that fail',
    )
    .option('--ignore-gone', 'leave out registered pipelines that this code does not have')
    .action(async ({ ignoreGone = false }: { ignoreGone?: boolean }) => {
      const session = current()
      const { config } = await session.needConfig()
      const plan = await session.withDatabase((database) => makePlan(database, config, ignoreGone))
      session.terminal.answer(plan)
      printPlan(session.terminal, plan)
      if (plan.queries.some(({ fault }) => fault !== null)) session.exitStatus = statusOfFaults
      else if (plan.touched_runs > 0) session.exitStatus = statusOfTouchedRuns
    })
}

async function makePlan(
  { caller, client }: OpenDatabase,
  config: Config,
  ignoreGone: boolean,
): Promise<Plan> {
  const planned = config.pipelines.map(({ slug, graph }): PlannedGraph => ({ slug, graph }))
  const graphs = new Map(planned.map(({ slug, graph }) => [slug, graph]))
  const standing = await planRuns(caller, planned)
  const rows = await planPipelines(caller, planned)
  const pipelines = rows
    .filter(({ change }) => !(ignoreGone && change === 'gone'))
    .map(({ slug, change, version, active_version, active_graph }): PlannedPipeline => {
      const graph = graphs.get(slug)
      const live = standing.filter((row) => row.slug === slug)
      return {
        pipeline: slug,
        change,
        version,
        active_version,
        changes:
          change === 'changed' && graph !== undefined && active_graph !== null
            ? graphChanges(active_graph, graph)
            : [],
        live,
        touched_runs: liveRuns(live),
      }
    })
  const declared = declaredQueries(config)
  const faults = new Map(
    (await findQueryFaults(client, declared)).map(({ name, fault }) => [name, fault] as const),
  )
  return {
    pipelines,
    queries: declared.map(({ name }) => ({ name, fault: faults.get(name) ?? null })),
    touched_runs: pipelines.reduce((sum, pipeline) => sum + pipeline.touched_runs, 0),
  }
}

/** Each version once: a run with several open steps stands at each of them. */
function liveRuns(live: PlannedPipeline['live']): number {
  return [...new Map(live.map((row) => [row.version, row.version_runs])).values()].reduce(
    (sum, runs) => sum + runs,
    0,
  )
}

/** Those of the configuration, the functions that `sql` steps call, and what schedules expect. */
function declaredQueries({ queries = {}, pipelines, triggers = [] }: Config): DeclaredQuery[] {
  const called = pipelines.flatMap(({ slug, graph }) =>
    graph.steps.flatMap((step) =>
      step.kind === 'sql' && step.target !== undefined
        ? [{ name: `step ${step.name} of ${slug}`, text: functionQuery(step.target) }]
        : [],
    ),
  )
  return [
    ...Object.entries(queries).map(([name, text]) => ({ name, text })),
    ...called,
    ...triggers.flatMap(expectedQueries),
  ]
}

function expectedQueries(trigger: Trigger): DeclaredQuery[] {
  if (trigger.kind !== 'schedule') return []
  const { expect } = (trigger as Schedule).settings
  const isQuery = expect !== undefined && 'query' in expect
  return isQuery ? [expectationQuery(`expect of schedule ${trigger.name}`, expect)] : []
}
