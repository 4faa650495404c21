// npm run model: lets Spin verify the models of leases and of parking in test/model, and shows that they fail when a protection is taken out.
import { runInPlace } from './child.mjs'
import { installDebianPackages } from './debian-packages.mjs'
import { prepare, root } from './prepare.mjs'

const needed = ['spin', 'gcc', 'libc6-dev']

prepare({ build: false })
// What can't be installed here is asked for in a sentence by the program below.
installDebianPackages(needed)

const print = ['--import', 'tsx', 'test/model/print.ts', ...process.argv.slice(2)]
process.exitCode = await runInPlace(process.execPath, print, { cwd: root })
