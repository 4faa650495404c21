// Commands as a test calls them: in this process, with what they print caught; and a project for them to work in.
import fs from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { runCommandLine } from '../src/cli/command-line.ts'
import { makeReachableFolder } from './reachable-folder.ts'

interface Called {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface Caller {
  /** Calls a command of 80 columns whose output is piped, unless told otherwise. */
  call(...args: string[]): Promise<Called>
  /** The same, with this on its standard input. */
  callWithInput(input: string, ...args: string[]): Promise<Called>
  /** The same as a person sees it. */
  callOnTerminal(...args: string[]): Promise<Called>
  readonly folder: string
  write(name: string, text: string): string
  /** Removes the folder. */
  close(): void
}

/** A folder of its own, and commands called in it with this environment alone. */
export function openFolder(environment: Record<string, string> = {}): Caller {
  const folder = makeReachableFolder()
  const callWith = async (isTTY: boolean, args: string[], input = ''): Promise<Called> => {
    let [stdout, stderr] = ['', '']
    const status = await runCommandLine(args, {
      stdout: { isTTY, columns: 80, write: (text: string) => void (stdout += text) },
      stderr: { isTTY: false, columns: 80, write: (text: string) => void (stderr += text) },
      environment,
      folder,
      stdin: Readable.from([input]),
    })
    return { status, stdout, stderr }
  }
  return {
    folder,
    call: (...args) => callWith(false, args),
    callWithInput: (input, ...args) => callWith(false, args, input),
    callOnTerminal: (...args) => callWith(true, args),
    write: (name, text) => {
      const file = path.join(folder, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, text)
      return file
    },
    close: () => fs.rmSync(folder, { recursive: true, force: true }),
  }
}

const sources = fileURLToPath(new URL('../src/', import.meta.url))

/** A file of the sources, by its address. */
export const sourceFile = (file: string): string => path.join(sources, file)

/** The package as a configuration in a test's folder imports it: from its sources, by their address. */
export const sdkAddress = path.join(sources, 'sdk/index.ts')

/** The program itself, for what needs a process of its own. */
export const programFile = path.join(sources, 'cli/main.ts')

/** Runs of one pipeline, whose step echoes its input. */
export const echoConfig = `
import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}

const echo = pipeline('echo', { retry: { attempts: 1 } })
  .step('say', ({ input }) => {
    if (input === 'fail') throw new Error('it was told to fail')
    return input
  })
  .step('again', { queue: 'slow', when: ({ input }) => input !== 'once' }, ({ steps }) => steps.say)

export default defineConfig({ pipelines: [echo] })
`
