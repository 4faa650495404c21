// npm run prove:limits -- [tasks]: works off a million tasks under limits in processes that are killed now and then, and shows from their history
// that no limit was ever exceeded.
import { runInPlace } from './child.mjs'
import { prepare, root } from './prepare.mjs'

prepare({ build: false })

const proof = ['--import', 'tsx', 'test/programs/prove-limits.ts', ...process.argv.slice(2)]
process.exitCode = await runInPlace(process.execPath, proof, { cwd: root })
