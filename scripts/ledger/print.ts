// Prints the ledger: all rows, or with --open those with neither a test nor a reason; as text, or with --json as data.
import { fileURLToPath } from 'node:url'
import { inWords, isOpen, readLedger } from './ledger.ts'

const flags = new Set(process.argv.slice(2))
const ledger = readLedger(fileURLToPath(new URL('../..', import.meta.url)))
const rows = flags.has('--open') ? ledger.rows.filter(isOpen) : ledger.rows
const shown = { ...ledger, rows }
console.log(flags.has('--json') ? JSON.stringify(shown, null, 2) : inWords(shown))
