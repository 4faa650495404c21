// Owns how a thing of a name is paused and resumed: two operations that are alike whatever it is.
import { z } from 'zod'
import type { ErrorCode } from '../core/errors.ts'
import type { Access } from './access.ts'
import { operation } from './operation.ts'
import { changed } from './values.ts'

export interface Pausable<Params extends z.ZodObject, Body extends z.ZodObject> {
  /** As the operations are named: pauseSchedule. */
  readonly noun: string
  /** The path of one of them, with its parameter in braces. */
  readonly path: string
  readonly of: { readonly tag: string; readonly params: Params; readonly access: Access }
  /** Where there is none of that name. */
  readonly unknown: ErrorCode
  readonly pause: {
    readonly summary: string
    readonly body: Body
    readonly errors?: readonly ErrorCode[]
  }
  readonly resume: { readonly summary: string }
}

/** The operation that pauses, and the one that resumes. */
export function pausable<Params extends z.ZodObject, Body extends z.ZodObject>({
  noun,
  path,
  of,
  unknown,
  pause,
  resume,
}: Pausable<Params, Body>) {
  const errors = [unknown, 'revision_conflict'] as const
  return [
    operation({
      ...of,
      name: `pause${noun}`,
      method: 'post',
      path: `${path}/pause`,
      summary: pause.summary,
      body: pause.body,
      answer: changed,
      errors: [...errors, ...(pause.errors ?? [])],
      revised: true,
    }),
    operation({
      ...of,
      name: `resume${noun}`,
      method: 'post',
      path: `${path}/resume`,
      summary: resume.summary,
      body: z.strictObject({}),
      answer: changed,
      errors,
      revised: true,
    }),
  ] as const
}
