// npm run ledger: prints each row of the ledger with the tests that prove it; `-- --open` and `-- --json` as well.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const printer = fileURLToPath(new URL('ledger/print.ts', import.meta.url))
const { status } = spawnSync(process.execPath, ['--import', 'tsx', printer, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
process.exitCode = status ?? 1
