// A disk of a size of its own for the server's data, in memory, which can be filled up and freed.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { makeReachableFolder } from '../reachable-folder.ts'

const chunkBytes = 1_048_576

export class Disk {
  /** For the server, which may remove it; what fills the disk lies beside it. */
  readonly folder: string
  readonly #mounted: string

  private constructor(mounted: string) {
    this.#mounted = mounted
    this.folder = path.join(mounted, 'server')
    fs.mkdirSync(this.folder)
  }

  /** Mounted where only this process and what it starts can see it; undefined where that is not allowed. */
  static mount(megabytes: number): Disk | undefined {
    if (process.env['MILLRACE_CHAOS_MOUNTS'] !== '1') return undefined
    const mounted = makeReachableFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'chaos', mounted])
    return new Disk(mounted)
  }

  /** Until not a byte is left. */
  fill(): void {
    const file = fs.openSync(this.#ballast, 'w')
    const chunk = Buffer.alloc(chunkBytes)
    try {
      for (;;) fs.writeSync(file, chunk)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      fs.closeSync(file)
    }
  }

  free(): void {
    fs.rmSync(this.#ballast, { force: true })
  }

  /** Once nobody uses it any more. */
  unmount(): void {
    this.free()
    execFileSync('umount', ['--lazy', this.#mounted])
    fs.rmSync(this.#mounted, { recursive: true, force: true })
  }

  get #ballast(): string {
    return path.join(this.#mounted, 'ballast')
  }
}
