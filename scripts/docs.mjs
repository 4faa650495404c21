// npm run docs: writes the generated pages under docs/ anew (troubleshooting.md, schema.md), and the routes of the client.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const writer = fileURLToPath(new URL('docs/write.ts', import.meta.url))
const { status } = spawnSync(process.execPath, ['--import', 'tsx', writer], { cwd: root, stdio: 'inherit' })
process.exitCode = status ?? 1
