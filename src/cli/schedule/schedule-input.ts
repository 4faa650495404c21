// Owns the check of what a schedule is to start runs with: by the schema of the pipeline in the configuration, as a start by hand is checked.
import type { Caller } from '../../db/call.ts'
import { Schedules } from '../../sdk/schedules.ts'
import { inputOption } from '../example-input.ts'
import type { Session } from '../session.ts'
import { checkInput } from '../start-run.ts'

/** What the schema makes of it; a server checks by the schemas that it has itself. @throws MillraceError input_invalid, and those of findConfig */
export async function scheduleInput(session: Session, pipeline: string, input: unknown): Promise<unknown> {
  if (session.remote !== undefined) return input
  const config = (await session.findConfig())?.config
  const definition = config?.pipelines.find(({ slug }) => slug === pipeline)
  return definition === undefined ? input : checkInput(definition, input, inputOption)
}

/** The same of one that stands in for a schedule's own, where one is given. @throws MillraceError input_invalid, schedule_unknown, and those of findConfig */
export async function firingInput(
  session: Session,
  caller: Caller,
  schedule: string,
  input: unknown,
): Promise<unknown> {
  // A server checks it itself, and to ask what the schedule starts takes a right that firing it does not.
  if (input === undefined || session.remote !== undefined) return input
  const { pipeline } = await new Schedules(() => Promise.resolve(caller)).get(schedule)
  return scheduleInput(session, pipeline, input)
}
