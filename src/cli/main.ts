#!/usr/bin/env node
// The program millrace: runs the command line of this process, and ends with its status.
import { runCommandLine } from './command-line.ts'

// A reader that has seen enough (| head) closes the pipe; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
})

process.exitCode = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  folder: process.cwd(),
})
