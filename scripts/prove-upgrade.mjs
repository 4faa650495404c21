// npm run prove:upgrade -- [live runs]: brings every release that is kept in test/upgrade to today's code with all that it stood in the middle of,
// and 100,000 live runs of the last one beside old and new workers. `-- --keep REV` keeps another revision as a release.
import { runInPlace } from './child.mjs'
import { prepare, root } from './prepare.mjs'

prepare({ build: false })

const [option, revision] = process.argv.slice(2)
const proof =
  option === '--keep'
    ? ['test/upgrade/keep.ts', revision ?? 'HEAD']
    : ['test/programs/prove-upgrade.ts', ...process.argv.slice(2)]
process.exitCode = await runInPlace(process.execPath, ['--import', 'tsx', ...proof], { cwd: root })
