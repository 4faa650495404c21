// npm run chaos -- --seed N --minutes M: four workers under load, a nemesis that follows the seed, and a checker of every promise.
import { runInPlace } from './child.mjs'
import { installDebianPackages } from './debian-packages.mjs'
import { prepare, root } from './prepare.mjs'

prepare({ build: false })
// What can't be installed here is named by the program below, with the faults that it leaves out.
installDebianPackages(['pgbouncer', 'faketime', 'strace'])

const chaos = ['--import', 'tsx', 'test/chaos/main.ts', ...process.argv.slice(2)]
process.exitCode = await runInPlace(process.execPath, chaos, { cwd: root })
