// Owns what commands print: results on stdout, everything else on stderr; colours and progress on a terminal only.
import pc from 'picocolors'
import { unprintable } from '../core/printable.ts'

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
  /** A line of the result; nothing where the result is for a program. What in it a terminal would obey, an end of line too, is a space. */
  print(line?: string): void
  /** The same with each line of a text. */
  printLines(text: string): void
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
  /** A line beside the result, of which the same holds as of one that is printed. */
  note(line: string): void
}

const columnsDefault = 80

export function createTerminal({ stdout, stderr, environment }: Streams, json: boolean): Terminal {
  const isTerminal = stdout.isTTY === true && !json
  const isPlain = !isTerminal || (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb'
  const shown = isPlain ? withoutOrders : withColoursAlone
  const print = (line = ''): void => {
    if (!json) stdout.write(`${shown(line)}\n`)
  }
  return {
    json,
    isTerminal,
    hasProgress: stderr.isTTY === true && !json,
    columns: columnsOf(stdout, environment),
    colours: pc.createColors(!isPlain),
    print,
    printLines: (text) => {
      for (const line of text.split('\n')) print(line)
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
      // It may go into a file while a person sees stdout.
      stderr.write(`${stderr.isTTY === true ? shown(line) : withoutColours(line)}\n`)
    },
  }
}

/** Whatever stands in it: the key of a run and the error of a step are often somebody else's words. */
function withoutOrders(line: string): string {
  return line.replaceAll(unprintable, ' ')
}

/** The colours that commands paint with stay: what else may stand in their place hides and forges nothing. */
function withColoursAlone(line: string): string {
  return line
    .split(colours)
    .map((part, index) => (index % 2 === 0 ? withoutOrders(part) : part))
    .join('')
}

function withoutColours(line: string): string {
  const parts = line.split(colours).filter((_, index) => index % 2 === 0)
  return withoutOrders(parts.join(''))
}

const escape = '\u001b'
const colours = new RegExp(`(${escape}\\[(?:1|2|22|3[1-6]|39)m)`)

/** COLUMNS first, which a person may set; then what the terminal says; else 80. */
function columnsOf(stdout: Stream, environment: Streams['environment']): number {
  const wanted = Number(environment['COLUMNS'])
  if (Number.isInteger(wanted) && wanted >= 20) return wanted
  const shown = stdout.isTTY === true ? (stdout.columns ?? 0) : 0
  return shown >= 20 ? shown : columnsDefault
}
