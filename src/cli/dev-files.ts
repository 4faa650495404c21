// Owns the watch over a project's code: what changed, said once for the many events that one save causes.
import path from 'node:path'
import { watch } from 'chokidar'
import { oneLine } from '../core/wording.ts'

const ignored = new Set(['node_modules', '.millrace', '.git', 'dist', 'coverage'])
const code = /\.([cm]?[jt]sx?|json|sql|lua)$/
const settleMs = 100

export interface CodeWatcher {
  /** Watches a file as well that lies outside the folder, as that of another package does which the code imports. */
  add(file: string): void
  close(): Promise<void>
}

export interface CodeWatcherOptions {
  /** Gets a changed, new or removed file of code, once for changes that come together. */
  readonly onChange: (file: string) => void
  /** Told once, in a sentence, that not all can be watched. */
  readonly onTrouble: (trouble: string) => void
}

export function watchCode(folder: string, { onChange, onTrouble }: CodeWatcherOptions): CodeWatcher {
  const changes = new Changes(onChange)
  let isTroubled = false
  const failed = (error: unknown): void => {
    if (!isTroubled) onTrouble(troubleWords(error as NodeJS.ErrnoException))
    isTroubled = true
  }
  // Others' data may lie in the folder, such as that of a database in a container: what may not be read is no code of the worker.
  const options = { ignoreInitial: true, ignorePermissionErrors: true }
  const inside = watch(folder, { ...options, ignored: (file) => isIgnored(path.relative(folder, file)) })
  // By their folders, each without what is below: an editor that saves puts another file in the place of the one that it read.
  const outside = watch([], { ...options, depth: 0 })
  const added = new Set<string>()
  inside.on('all', (_, file) => changes.add(path.resolve(folder, file))).on('error', failed)
  outside
    .on('all', (_, file) => {
      if (added.has(path.resolve(file))) changes.add(path.resolve(file))
    })
    .on('error', failed)
  return {
    add: (file) => {
      if (!isOutside(path.relative(folder, file))) return
      added.add(path.resolve(file))
      outside.add(path.dirname(file))
    },
    close: async () => {
      changes.forget()
      await Promise.all([inside.close(), outside.close()])
    },
  }
}

/** The files of changes that come together. */
class Changes {
  readonly #onChange: (file: string) => void
  readonly #files = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(onChange: (file: string) => void) {
    this.#onChange = onChange
  }

  add(file: string): void {
    if (!code.test(file)) return
    this.#files.add(file)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#tell(), settleMs)
  }

  forget(): void {
    clearTimeout(this.#timer)
  }

  #tell(): void {
    const files = [...this.#files]
    this.#files.clear()
    for (const file of files) this.#onChange(file)
  }
}

function isIgnored(relative: string): boolean {
  return relative.split(path.sep).some((part) => ignored.has(part))
}

function isOutside(relative: string): boolean {
  return relative.startsWith('..') || path.isAbsolute(relative)
}

function troubleWords({ code, message }: NodeJS.ErrnoException): string {
  const remedy =
    code === 'ENOSPC' || code === 'EMFILE'
      ? 'raise the limits of the system, which sysctl fs.inotify shows on Linux'
      : 'start dev again after a change that it misses'
  return `Not every file can be watched: ${oneLine(message)}; ${remedy}.`
}
