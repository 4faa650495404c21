// What runs were in the middle of when a release was kept: a scene brings runs there, and says what people do afterwards and how they end.
import type pg from 'pg'
import { z } from 'zod'
import type { TransactionStepContext } from '../../src/sdk/context.ts'
import type { PipelineDefinition } from '../../src/sdk/pipeline-definition.ts'
import type { Trigger } from '../../src/sdk/trigger.ts'
import type { Client } from '../../src/sdk/client.ts'
import type { ReleasedCode } from './release.ts'

/** The code of one release, old or new, and whether its handlers stop in the middle. */
export interface World {
  readonly code: ReleasedCode
  /** While the release is kept: handlers that stop never come back, and what fails does so. */
  readonly holding: boolean
  /** Stops here while holding. */
  hold(): Promise<void>
}

/** How the tasks and runs of a scene stand: those that a worker holds, the other open ones, and the runs that have ended. */
export interface Standing {
  readonly held?: number
  readonly open?: number
  readonly ended?: number
}

export interface Scene {
  /** The slug of its main pipeline. */
  readonly name: string
  /** The migration with which what it needs came. */
  readonly since: number
  readonly pipelines: (world: World) => readonly PipelineDefinition[]
  readonly triggers?: (world: World, pipelines: readonly PipelineDefinition[]) => readonly Trigger[]
  /** Starts its runs. */
  readonly begin?: (client: Client, pipelines: readonly PipelineDefinition[]) => Promise<unknown>
  readonly stands?: Standing
  /** Done last, in the transaction that is kept: what no worker has seen yet. */
  readonly unseen?: (client: Client, transaction: pg.ClientBase) => Promise<unknown>
  /** What people do after the upgrade. */
  readonly afterwards?: (client: Client, runs: readonly string[]) => Promise<unknown>
  /** How its runs end; `completed` unless told. */
  readonly ends?: 'completed' | 'failed' | 'cancelled'
  /** How many runs of it have ended when all is done, at the least. */
  readonly runs: number
}

/** The schema and the tables of the user beside whom it all stands. */
export const userSchema = 'shop'
export const userTables = `
  create schema shop;
  create table shop.effect (run_id uuid not null);
  create table shop.person (id int primary key, name text not null);`

export const numbered = { input: z.object({ n: z.number() }) }

/** The last step of nearly all: its row and its completion are one transaction. */
export const book = async ({ sql, run }: Pick<TransactionStepContext<unknown, never>, 'sql' | 'run'>) => {
  await sql`insert into shop.effect (run_id) values (${run.id})`
  return 'booked'
}
