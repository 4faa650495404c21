// Owns what commands print: results on stdout, everything else on stderr; colours and progress on a terminal only.
import pc from 'picocolors'

/** What text is written to; isTTY and columns where a person sees it. */
interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string | Uint8Array): unknown
  once?(event: 'drain', listener: () => void): unknown
}

export interface Streams {
  readonly stdout: Stream
  readonly stderr: Stream
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface Terminal {
  /** Whether the result is for a program: one JSON value on stdout, nothing else there. */
  readonly json: boolean
  /** Whether a person sees stdout as it is printed. */
  readonly isTerminal: boolean
  /** Whether a person sees stderr, where progress is shown. */
  readonly hasProgress: boolean
  /** How wide a line may be. */
  readonly columns: number
  readonly colours: ReturnType<typeof pc.createColors>
  /** A line of the result; nothing where the result is for a program. */
  print(line?: string): void
  /** A piece of the result as it is; nothing where the result is for a program. */
  write(text: string): void
  /** Bytes of the result as they are; resolves when whoever reads has room for more. */
  writeBytes(bytes: Uint8Array): Promise<void>
  /** The result for a program; nothing where it is for people. */
  answer(value: unknown): void
  /** One of many values of a result that comes bit by bit, for a program, in a line; nothing where it is for people. */
  answerLine(value: unknown): void
  /** The same, which is JSON already and ends its line. */
  answerText(line: string): void
  /** A line beside the result. */
  note(line: string): void
}

const columnsDefault = 80

export function createTerminal({ stdout, stderr, environment }: Streams, json: boolean): Terminal {
  const isTerminal = stdout.isTTY === true && !json
  const isPlain = !isTerminal || (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb'
  return {
    json,
    isTerminal,
    hasProgress: stderr.isTTY === true && !json,
    columns: columnsOf(stdout, environment),
    colours: pc.createColors(!isPlain),
    print: (line = '') => {
      if (!json) stdout.write(`${line}\n`)
    },
    write: (text) => {
      if (!json) stdout.write(text)
    },
    writeBytes: async (bytes) => {
      if (json || stdout.write(bytes) !== false || stdout.once === undefined) return
      await new Promise<void>((resolve) => void stdout.once?.('drain', resolve))
    },
    answerLine: (value) => {
      if (json) stdout.write(`${JSON.stringify(value)}\n`)
    },
    answerText: (line) => {
      if (json) stdout.write(line)
    },
    answer: (value) => {
      if (json) stdout.write(`${JSON.stringify(value, null, 2)}\n`)
    },
    note: (line) => {
      stderr.write(`${line}\n`)
    },
  }
}

/** COLUMNS first, which a person may set; then what the terminal says; else 80. */
function columnsOf(stdout: Stream, environment: Streams['environment']): number {
  const wanted = Number(environment['COLUMNS'])
  if (Number.isInteger(wanted) && wanted >= 20) return wanted
  const shown = stdout.isTTY === true ? (stdout.columns ?? 0) : 0
  return shown >= 20 ? shown : columnsDefault
}
