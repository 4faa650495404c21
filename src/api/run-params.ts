// The path parameters of whatever stands below a run.
import { z } from 'zod'
import { stepName, uuid } from './values.ts'

export const runParams = z.object({ run: uuid })

export const stepParams = z.object({ run: uuid, step: stepName })
