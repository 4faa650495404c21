// Type claims about subscribe(): its map knows the fields of the input; the compiler is the test.
import { z } from 'zod'
import { pipeline } from './pipeline.ts'
import { subscribe } from './subscribe.ts'

const welcome = pipeline('welcome', {
  input: z.object({ person: z.string(), place: z.string().optional() }),
}).step('mail', ({ input }) => input.person)

void subscribe('person.changed', { pipeline: welcome, map: { person: 'who.id', place: 'where' } })
void subscribe('person.changed', { pipeline: welcome, filter: { kind: 'joined' } })
void subscribe('person.changed', { pipeline: 'by-name', map: { anything: 'a.path' } })

// @ts-expect-error the input has no such field
void subscribe('person.changed', { pipeline: welcome, map: { persn: 'who.id' } })
// @ts-expect-error a path is a text
void subscribe('person.changed', { pipeline: welcome, map: { person: 7 } })
// @ts-expect-error a subscription names its pipeline
void subscribe('person.changed', {})
