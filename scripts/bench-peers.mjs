// npm run bench:peers: makes the checkout and the peers ready, then measures Millrace and them by turns. Arguments go to bench/peers/main.ts.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runInPlace } from './child.mjs'
import { installDebianPackages } from './debian-packages.mjs'
import { isInstalled, npm, prepare, readJson, root } from './prepare.mjs'

const folder = join(root, 'bench', 'peers')
/** The oldest Node on which all peers run. */
const node_oldest = 22

prepare({ build: true })
process.exitCode = (await installPeers()) ? await measure() : 1

async function installPeers() {
  const lock = readJson('bench/peers/package-lock.json')
  if (isInstalled(lock, readJson('bench/peers/node_modules/.package-lock.json'))) return true
  console.error('Installing the peers (npm ci in bench/peers) …')
  // They ask for a newer Node than npm may run on: theirs is among them.
  return npm(['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'])
}

async function measure() {
  const node = nodeOfPeers()
  if (node === undefined) {
    console.error(`The peers need Node ${node_oldest}, and npm has none for this system: run this with it.`)
    return 1
  }
  for (const { name, benchmarks } of installDebianPackages(['redis-server']))
    console.error(`Left out: ${benchmarks}, because the Debian package ${name} is not installed.`)
  return runInPlace(node, [join(folder, 'main.ts'), ...process.argv.slice(2)], { cwd: root })
}

/** That of the npm package, so that it is the same everywhere, or the one that runs this. */
function nodeOfPeers() {
  const packaged = join(folder, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  if (existsSync(packaged)) return packaged
  return Number(process.versions.node.split('.')[0]) >= node_oldest ? process.execPath : undefined
}
