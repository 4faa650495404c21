// Type claims about schedules: the input is that of the pipeline, and a cadence is one of two; the compiler is the test.
import { z } from 'zod'
import { pipeline } from './pipeline.ts'
import { schedule } from './schedule.ts'

const asking = pipeline('asking', { input: z.object({ account: z.number() }) }).step('only', () => 1)
const free = pipeline('free').step('only', () => 1)

schedule('typed', { pipeline: asking, cron: '0 7 * * 1-5', timezone: 'Europe/Berlin', input: { account: 7 } })
schedule('named', { pipeline: 'asking', every: '15m', input: { anything: true } })
schedule('without', { pipeline: free, every: '15m' })

// @ts-expect-error the pipeline asks for an input
schedule('missing', { pipeline: asking, cron: '@daily' })
// @ts-expect-error the input is another one
schedule('other', { pipeline: asking, cron: '@daily', input: { account: 'seven' } })
// @ts-expect-error a cadence is a pattern or an interval, and not both
schedule('both', { pipeline: free, cron: '@daily', every: '1d' })
// @ts-expect-error an interval has no zone
schedule('zone', { pipeline: free, every: '1d', timezone: 'UTC' })
// @ts-expect-error there is no such overlap
schedule('overlap', { pipeline: free, every: '1d', overlap: 'queue' })
