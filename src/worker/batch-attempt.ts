// The attempts of a batch: one call of the handler for several tasks, each of which has its own outcome.
import { MillraceError } from '../core/errors.ts'
import { heard } from '../core/heard.ts'
import type { HandlerContext } from '../sdk/context.ts'
import { validate } from '../sdk/standard-schema.ts'
import { StepSkipped } from '../sdk/step-skipped.ts'
import { Abort } from './abort.ts'
import {
  type AttemptRoom,
  failure,
  handlerContext,
  isUnwanted,
  knownOfItem,
  type Outcome,
  outputText,
  timeoutError,
} from './attempt.ts'
import { type HeldTask, throwIfAborted } from './held-task.ts'
import { lazyObject, type LazyShape, type Makers } from './lazy-object.ts'
import type { ServedStep } from './served-steps.ts'

interface Member {
  readonly task: HeldTask
  readonly context: HandlerContext
}

/** Runs the handler for tasks of one step, and tells the outcome of each as soon as it is known. Never rejects. */
export async function runBatch(
  tasks: readonly HeldTask[],
  room: AttemptRoom,
  told: (task: HeldTask, outcome: Outcome) => void,
): Promise<void> {
  const asked = await Promise.all(
    tasks.map(async (task): Promise<Member | undefined> => {
      const context = handlerContext(task, room)
      try {
        throwIfAborted(task)
        if (!(await isUnwanted(task, context))) return { task, context }
        told(task, { kind: 'skipped', reason: 'its condition said no' })
      } catch (error) {
        told(task, failure(task, error, room.storeStacks))
      }
      return undefined
    }),
  )
  const members = asked.filter((member) => member !== undefined)
  // Those that were told to stop while others were asked are given to nobody.
  const [wanted, stopped] = [false, true].map((is) => members.filter(({ task }) => task.abort.aborted === is))
  for (const { task } of stopped!) told(task, failure(task, task.abort.reason, room.storeStacks))
  if (wanted!.length > 0) await callHandler(wanted!, room, told)
}

async function callHandler(
  members: readonly Member[],
  room: AttemptRoom,
  told: (task: HeldTask, outcome: Outcome) => void,
): Promise<void> {
  const { step } = members[0]!.task
  const abort = new Abort()
  /** Those of whose outcome nothing was told yet. */
  const open = new Set(members)
  const tell = (member: Member, outcome: Outcome) => {
    if (open.delete(member)) told(member.task, outcome)
  }
  try {
    const context = batchContext(members, room, abort)
    await whileHeld(open, abort, step, async () => {
      const answers = checkAnswers(await step.handler.handler(context), members.length, step.name)
      tellFailedQuery(members, room)
      // An answer may be a promise, which is as much a part of the attempt as the handler is.
      await Promise.all(
        members.map(async (member, place) =>
          tell(member, await outcomeOf(member.task, member.context, answers[place], room)),
        ),
      )
    })
  } catch (error) {
    for (const member of open) tell(member, failure(member.task, error, room.storeStacks))
  }
}

/** Ends with the work, at the timeout, or as soon as no task of those that are open is held any more: then nobody waits for what the work still does. */
function whileHeld(
  open: ReadonlySet<Member>,
  abort: Abort,
  step: ServedStep,
  work: () => Promise<void>,
): Promise<void> {
  const members = [...open]
  return new Promise((resolve, reject) => {
    const end = (reason: Error) => {
      // A handler that never ends is not to hold a process any longer.
      clearTimeout(timer)
      abort.abort(reason)
      reject(reason)
    }
    const timer = setTimeout(
      () => {
        const error = timeoutError(step)
        for (const { task } of open) task.abort.abort(error)
        end(error)
      },
      Math.min(step.timeoutMs, 2_147_483_647),
    )
    for (const { task } of members) {
      task.abort.listen(() => {
        const reason = task.abort.reason!
        const left = [...open]
        if (left.every((one) => one.task.lost)) end(reason)
        else if (left.every((one) => one.task.abort.aborted)) abort.abort(reason)
      })
    }
    work()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        for (const { task } of members) task.abort.listen()
      })
  })
}

function checkAnswers(answers: unknown, wanted: number, step: string): readonly unknown[] {
  if (Array.isArray(answers) && answers.length === wanted) return answers
  // Nobody is there to hear of them.
  if (Array.isArray(answers)) for (const answer of answers) void heard(Promise.resolve(answer))
  const found = Array.isArray(answers) ? `a list of ${answers.length}` : 'no list'
  throw new MillraceError(
    'batch_answer_invalid',
    `Step '${step}' was given ${wanted === 1 ? '1 item' : `${wanted} items`} and answered with ${found}: it answers with an output for each, in their order.`,
    { fields: { step, wanted } },
  )
}

async function outcomeOf(
  task: HeldTask,
  context: HandlerContext,
  answer: unknown,
  room: AttemptRoom,
): Promise<Outcome> {
  const { name, handler } = task.step
  try {
    if (answer instanceof StepSkipped) return { kind: 'skipped', reason: answer.message }
    if (answer instanceof Error) throw answer
    const { outputSchema: schema } = handler
    const output =
      schema === undefined
        ? await answer
        : await validate(schema, await answer, {
            code: 'output_invalid',
            what: `The output of step '${name}'`,
          })
    return { kind: 'completed', output: outputText(task, context, output) }
  } catch (error) {
    return failure(task, error, room.storeStacks)
  }
}

/** Who asks for what no batch has is told so, in the place of a function that is none. */
const refusals: Makers<{ readonly step: string }> = new Map(
  ['durable', 'cache', 'lock', 'backOff', 'tx'].map((name) => [
    name,
    ({ step }) => {
      throw new MillraceError(
        'batch_without',
        `Step '${step}' asks for '${name}', which a batch does not have: its items begin and end together, each with a lease of its own.`,
        { fields: { step, name } },
      )
    },
  ]),
)

/** What an item has of its own context: what waits, or is for one task alone, has no place in a batch. */
const itemNames = [
  'input',
  'steps',
  'run',
  'attempt',
  'idempotencyKey',
  'abort',
  'progress',
  'setMetadata',
  'metric',
  'stream',
  'artifacts',
  'log',
] as const

const itemShape: LazyShape<HandlerContext> = {
  makers: new Map(itemNames.map((name) => [name, (own) => own[name]])),
  hidden: refusals,
}

function batchContext(members: readonly Member[], room: AttemptRoom, abort: Abort): HandlerContext {
  const step = members[0]!.task.step.name
  const known = {
    items: members.map(({ task, context }) => lazyObject(itemShape, context, knownOfItem(task))),
    step,
    // On behalf of all: the first one carries what is to be told of a query that failed.
    sql: (text: TemplateStringsArray, ...values: readonly unknown[]) =>
      heard(room.sql(members[0]!.task, text, values)),
    secret: (name: string) => heard(secretOf(members, room, name)),
    log: (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      for (const task of oneOfEachRun(members)) room.log(task, message, fields)
    },
  }
  const makers: Makers<{ readonly step: string }> = new Map([['abort', () => abort.signal]])
  return lazyObject({ makers, hidden: refusals }, { step }, known) as HandlerContext
}

/** On record for each of them; those that are held no longer get none, and the others do. */
async function secretOf(members: readonly Member[], room: AttemptRoom, name: string): Promise<string> {
  const reads = await Promise.allSettled(members.map(({ task }) => room.secrets.read(task, name)))
  const read = reads.find(({ status }) => status === 'fulfilled') ?? reads[0]!
  if (read.status === 'rejected') throw read.reason
  return read.value
}

function oneOfEachRun(members: readonly Member[]): HeldTask[] {
  return [...new Map(members.map(({ task }) => [task.run.id, task])).values()]
}

function tellFailedQuery(members: readonly Member[], room: AttemptRoom): void {
  const { failedQuery } = members[0]!.task
  if (failedQuery === undefined) return
  for (const task of oneOfEachRun(members))
    room.log(task, `A query failed, and the step completed all the same: ${failedQuery}`, {})
}
