// A worker of the protocol's tests that is told, step by step, what becomes of each task: completed, failed for good, or held.
import { claim, complete, fail, type Sql, type Task, type Worker } from './protocol.ts'

export type Fate = { readonly output: unknown } | { readonly fails: string } | 'hold'

export interface SteppedTask extends Task {
  readonly step: string
}

/** Works until nothing is left, and answers with what it holds. A step that nobody says anything of gives its own name. */
export async function workAs(
  sql: Sql,
  worker: Worker,
  decide: (step: string, task: Task) => Fate | undefined,
): Promise<SteppedTask[]> {
  const steps = await sql.query<{ id: number; step: string }>('select id, step from millrace.step_definition')
  const names = new Map(steps.map(({ id, step }) => [id, step]))
  const held: SteppedTask[] = []
  for (;;) {
    const tasks: Task[] = await claim(sql, worker, 100)
    if (tasks.length === 0) return held
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      const step = names.get(task.step_id) ?? ''
      const fate = decide(step, task) ?? { output: step }
      if (fate === 'hold') held.push({ ...task, step })
      else if ('fails' in fate) {
        const error = { code: 'broken', message: fate.fails, retryable: false }
        await fail(sql, worker, [{ task, error }])
      } else {
        const { run_id } = task
        const answers = await complete(sql, worker, [{ task, output: fate.output }])
        const next = answers.filter(({ kind }) => kind === 'next')
        tasks.push(
          ...next.map((answer) => ({ ...answer, run_id: answer.run_id ?? run_id, item: answer.item ?? -1 })),
        )
      }
    }
  }
}
