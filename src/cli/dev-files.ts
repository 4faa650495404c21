// Owns the watch over a project's code: what changed, said once for the many events that one save causes.
import path from 'node:path'
import { watch } from 'chokidar'

const ignored = new Set(['node_modules', '.millrace', '.git', 'dist', 'coverage'])
const code = /\.([cm]?[jt]sx?|json|sql|lua)$/
const settleMs = 100

export interface CodeWatcher {
  close(): Promise<void>
}

/** Calls back with a changed, new or removed file of code, once for changes that come together. */
export function watchCode(folder: string, onChange: (file: string) => void): CodeWatcher {
  let timer: NodeJS.Timeout | undefined
  const changed = new Set<string>()
  const watcher = watch(folder, {
    ignoreInitial: true,
    ignored: (file) =>
      path
        .relative(folder, file)
        .split(path.sep)
        .some((part) => ignored.has(part)),
  })
  watcher.on('all', (_, file) => {
    if (!code.test(file)) return
    changed.add(path.resolve(folder, file))
    clearTimeout(timer)
    timer = setTimeout(() => {
      const files = [...changed]
      changed.clear()
      for (const one of files) onChange(one)
    }, settleMs)
  })
  return {
    close: async () => {
      clearTimeout(timer)
      await watcher.close()
    },
  }
}
