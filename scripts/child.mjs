// One program run in the place of this one: it has our terminal, gets our signals, and its end is ours.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/** Answers with the exit code; 128 and the signal's number when a signal ended the program, as a shell says it. */
export function runInPlace(file, args, { cwd, env = process.env }) {
  const child = spawn(file, args, { cwd, env, stdio: 'inherit' })
  const forward = (signal) => {
    if (!isFromTerminal(signal)) child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  return new Promise((resolve) => {
    const end = (code) => {
      for (const signal of signals) process.off(signal, forward)
      resolve(code)
    }
    child.on('error', (error) => {
      console.error(`${file} could not be started: ${error.message}`)
      end(1)
    })
    child.on('exit', (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)))
  })
}

/** Ctrl-C reaches everybody at the terminal; sent on, it would count as the second one, which forces the end. */
function isFromTerminal(signal) {
  return process.stdin.isTTY === true && (signal === 'SIGINT' || signal === 'SIGHUP')
}
