// Owns the schema of headers: what callers let a run carry along.
import { z } from 'zod'

const headersMax = 50

/** Names that begin with millrace- are refused: in them the server says in whose name a run is started. */
export const headers = z
  .record(
    z
      .string()
      .min(1)
      .max(100)
      .refine((text) => !/^millrace-/i.test(text), 'names that begin with millrace- are kept for Millrace'),
    z.string().max(1_000),
  )
  .refine((all) => Object.keys(all).length <= headersMax, `there are more than ${headersMax}`)
