#!/usr/bin/env node
// The program millrace: runs the command line of this process, and ends with its status.
import { runCommandLine } from './command-line.ts'
import { tellFailure } from './failure.ts'
import { watchOutput } from './lost-output.ts'
import { createTerminal } from './terminal.ts'

const args = process.argv.slice(2)
const streams = { stdout: process.stdout, stderr: process.stderr, environment: process.env }

watchOutput(process, (error) =>
  tellFailure(error, createTerminal(streams, args.includes('--json')), args.includes('--debug')),
)

process.exitCode = await runCommandLine(args, { ...streams, folder: process.cwd() })
