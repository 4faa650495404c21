// npm run bench: makes the checkout ready, then measures each figure against its floor. Arguments go to bench/main.ts.
import { runInPlace } from './child.mjs'
import { prepare, root } from './prepare.mjs'

prepare({ build: true })

const bench = ['--import', 'tsx', 'bench/main.ts', ...process.argv.slice(2)]
process.exitCode = await runInPlace(process.execPath, bench, { cwd: root })
