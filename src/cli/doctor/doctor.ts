// millrace doctor: looks at everything that a pipeline needs to run, and says what to do about what it finds.
import { Command } from 'commander'
import type pg from 'pg'
import { fill } from '../../core/text-fill.ts'
import { strongestRole } from '../../db/acting.ts'
import { type Caller, clientCaller } from '../../db/call.ts'
import { readCleaning } from '../../db/cleaning.ts'
import { connectClient, describeDatabase, isPooled } from '../../db/connection.ts'
import { isCopiedDatabase } from '../../db/copied-database.ts'
import { listUnserved, listWorkers, readClock, readHistory, readServer } from '../../db/diagnosis.ts'
import { sqlState } from '../../db/database-error.ts'
import { listLeftOverIndexes } from '../../db/left-over-indexes.ts'
import { listNumberSettings } from '../../db/number-settings.ts'
import { existingRoles, roleNames } from '../../db/roles.ts'
import { checkSchema } from '../../db/schema-check.ts'
import { readSchemaFiles } from '../../db/schema-files.ts'
import { listKeyWarnings } from '../../db/api-keys.ts'
import { listSecrets } from '../../db/secrets.ts'
import { listWebhooks } from '../../db/webhooks.ts'
import { listReplicaSettings, listWatches } from '../../db/watches.ts'
import type { WorkerConfig } from '../../sdk/config.ts'
import type { ChosenDatabase } from '../database-choice.ts'
import { withoutPasswords } from '../failure.ts'
import { localOnly } from '../remote/caller.ts'
import type { CurrentSession, Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { fail, type Finding, ok } from './finding.ts'
import { checkConfig, checkNode } from './machine.ts'
import {
  checkClock,
  checkConnections,
  checkIndexes,
  checkLogin,
  checkPooler,
  checkRoles,
  checkVersion,
} from './server.ts'
import { checkCopy, checkPartitions, checkTasks, checkWorkers } from './work.ts'
import { checkCleaning } from './cleaning.ts'
import { checkWatches } from './changes.ts'
import { checkKeys } from './keys.ts'
import { checkSecrets } from './secrets.ts'
import { checkSettings } from './settings.ts'

export function doctorCommand(current: CurrentSession): Command {
  return new Command('doctor')
    .description('check Node, configuration, database, schema, connections, workers and waiting tasks')
    .action(async () => {
      const session = current()
      const findings = await examine(session)
      session.terminal.answer({ findings })
      for (const finding of findings) printFinding(session.terminal, finding)
      session.exitStatus = findings.some(({ level }) => level === 'fail') ? 1 : 0
    })
}

/** @throws MillraceError command_local */
async function examine(session: Session): Promise<Finding[]> {
  if (session.chosenServer !== undefined) throw localOnly()
  const machine = [checkNode(process.versions.node), await checkConfig(session)]
  try {
    const database = await session.chooseDatabase()
    try {
      return [...machine, ...(await examineDatabase(database, await workerConfig(session)))]
    } finally {
      await database.release()
    }
  } catch (error) {
    return [...machine, failure('database', error)]
  }
}

async function workerConfig(session: Session): Promise<WorkerConfig> {
  const loaded = await session.findConfig().catch(() => undefined)
  return loaded?.config.worker ?? {}
}

async function examineDatabase({ url, directUrl }: ChosenDatabase, config: WorkerConfig): Promise<Finding[]> {
  const client = await connectClient({ connectionString: url, applicationName: 'millrace doctor' })
  try {
    const caller = clientCaller(client)
    const sent = Date.now()
    const server = await readServer(caller)
    const tripMs = Date.now() - sent
    return [
      ok('database', `${describeDatabase(url)} answers`),
      checkVersion(server),
      checkClock(server, sent + tripMs / 2, tripMs),
      checkPooler(await isPooled(client), directUrl !== undefined),
      await look('connections', async () => checkConnections(server, await listWorkersIfAny(caller), config)),
      ...(await examineSchema(client, caller)),
    ]
  } finally {
    await client.end()
  }
}

/** A database without the schema has no workers; what else fails is no count of none. */
async function listWorkersIfAny(caller: Caller): Promise<Awaited<ReturnType<typeof listWorkers>>> {
  try {
    return await listWorkers(caller, await readClock(caller))
  } catch (error) {
    if (sqlState(error) === schemaMissing) return []
    throw error
  }
}

const schemaMissing = '3F000'

async function examineSchema(client: pg.Client, caller: Caller): Promise<Finding[]> {
  try {
    await checkSchema(client)
    const { roles, migrations } = await readSchemaFiles()
    const names = roleNames(roles)
    const now = await readClock(caller)
    return [
      ok('schema', `The schema is up to date, at migration ${migrations.length}`),
      await look('roles', async () => {
        const existing = await existingRoles(client, names)
        return checkRoles(names.filter((name) => !existing.includes(name)))
      }),
      await look('login', async () => checkLogin(await strongestRole(caller))),
      await look('copy', async () => checkCopy(await isCopiedDatabase(caller))),
      await look('indexes', async () => checkIndexes(await listLeftOverIndexes(caller))),
      await look('cleaning', async () => checkCleaning(await readCleaning(caller))),
      await look('settings', async () => checkSettings(await listNumberSettings(caller))),
      await look('history', async () => checkPartitions(await readHistory(caller, now))),
      await look('workers', async () => checkWorkers(await listWorkers(caller, now))),
      await look('tasks', async () => checkTasks(await listUnserved(caller, now), now)),
      await look('changes', async () =>
        checkWatches(await listWatches(caller, null), await listReplicaSettings(caller), now),
      ),
      await look('secrets', async () =>
        checkSecrets(await listSecrets(caller), await listWebhooks(caller, null), now),
      ),
      await look('keys', async () => checkKeys(await listKeyWarnings(caller))),
    ]
  } catch (error) {
    return [failure('schema', error)]
  }
}

/** What can't be looked at is a failure of that check, and of no other. */
async function look(check: string, work: () => Promise<Finding>): Promise<Finding> {
  try {
    return await work()
  } catch (error) {
    return failure(check, error)
  }
}

function failure(check: string, error: unknown): Finding {
  const { message, hint } = error as { message: string; hint?: string }
  return fail(check, withoutPasswords(message), hint ?? 'See docs/troubleshooting.md.')
}

const margin = ' '.repeat(21)

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const

function printFinding(terminal: Terminal, { check, level, message, remedy }: Finding): void {
  const { green, yellow, red, dim } = terminal.colours
  const paint = { ok: green, warn: yellow, fail: red }[level]
  const under = { first: margin, next: margin }
  const [first = '', ...rest] = fill(message, under).map((line) => line.slice(margin.length))
  terminal.print(`${paint(marks[level])}  ${check.padEnd(13)}  ${first}`)
  for (const line of rest) terminal.print(`${margin}${line}`)
  for (const line of remedy === undefined ? [] : fill(remedy, under)) terminal.print(dim(line))
}
