// Prints what Spin makes of the models. Called by `npm run model`; `-- MAX_ATTEMPTS=3 FAULTS=3` sets macros of theirs.
import { missingPrograms, type Model, type Verdict, verifyModels } from './verify.ts'

const headings: Record<string, string> = {
  '': 'as it is:',
  NO_FENCE: 'without the fence of complete_tasks:',
  NO_ENTRY_LOCK: 'without the entry lock:',
  NO_NAME_LOCK: 'without the lock on the name of a signal:',
  NO_ROW_LOCK: 'without the lock on the row of the parked task:',
  NO_RAISE: 'without a new attempt at each wake:',
}

const titles: Record<Model, string> = { leases: 'Leases', parking: 'Parking' }

const missing = missingPrograms()
if (missing.length > 0) {
  console.error(
    `The model can't be checked without ${missing.join(' and ')}: install it (on Debian: apt-get install spin gcc libc6-dev) and run npm run model again.`,
  )
  process.exitCode = 1
} else process.exitCode = (await verifyAndPrint(process.argv.slice(2))) ? 0 : 1

async function verifyAndPrint(defines: readonly string[]): Promise<boolean> {
  let heading: string | undefined
  let unexpected = 0
  for await (const verdict of verifyModels(defines)) {
    const next = `${titles[verdict.model]}, ${headings[verdict.without ?? '']}`
    if (next !== heading) console.log(next)
    heading = next
    print(verdict)
    if (!verdict.isExpected) unexpected += 1
  }
  console.log(
    unexpected === 0
      ? 'Every claim holds, and each protection that was taken out is missed.'
      : `FAILED: ${unexpected} ${unexpected === 1 ? 'claim is' : 'claims are'} not as expected.`,
  )
  return unexpected === 0
}

function print({ claim, says, isExpected, holds, states, seconds, story }: Verdict): void {
  const found = holds ? 'holds' : 'violated'
  const verdict = isExpected ? (holds ? found : `${found} as expected`) : `FAIL: ${found}`
  const figures = `${states.toLocaleString('en')} states  ${seconds.toFixed(1)} s`
  console.log(`  ${verdict.padEnd(22)}${claim.padEnd(18)}${figures.padStart(24)}  ${says}`)
  for (const line of story) console.log(`      ${line}`)
}
