// npm start: makes the checkout ready, then runs the example on an embedded PostgreSQL. Arguments go to the example.
import { runInPlace } from './child.mjs'
import { prepare, root } from './prepare.mjs'

prepare({ build: true })

const example = ['--import', 'tsx', 'examples/territory-sweep/main.ts', ...process.argv.slice(2)]
process.exitCode = await runInPlace(process.execPath, example, { cwd: root })
