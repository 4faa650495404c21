// A disk of a size of its own for the server's data, in memory, which can be filled up and freed.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { makeReachableFolder } from '../reachable-folder.ts'

const chunkBytes = 1_048_576
/** What is left on a disk that is being filled: more would take as much memory as time. */
const leftBytes = 8 * chunkBytes

export class Disk {
  /** For the server, which may remove it; what fills the disk lies beside it. */
  readonly folder: string
  readonly #mounted: string
  readonly #bytes: number

  private constructor(mounted: string, bytes: number) {
    this.#mounted = mounted
    this.#bytes = bytes
    this.folder = path.join(mounted, 'server')
    fs.mkdirSync(this.folder)
  }

  /** Mounted where only this process and what it starts can see it; undefined where that is not allowed. */
  static mount(megabytes: number): Disk | undefined {
    if (process.env['MILLRACE_CHAOS_MOUNTS'] !== '1') return undefined
    const mounted = makeReachableFolder()
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'chaos', mounted])
      return new Disk(mounted, megabytes * 1_048_576)
    } catch (error) {
      fs.rmSync(mounted, { recursive: true, force: true })
      throw error
    }
  }

  /** How much of it is taken, from 0 to 1. */
  get share(): number {
    return this.#usedBytes / this.#bytes
  }

  /** Until not a byte is left: it is made hardly larger than what is there, and then filled up. */
  fill(): void {
    this.#resize(this.#usedBytes + leftBytes)
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
    this.#resize(this.#bytes)
  }

  /** Once nobody uses it any more. */
  unmount(): void {
    this.free()
    execFileSync('umount', ['--lazy', this.#mounted])
    fs.rmSync(this.#mounted, { recursive: true, force: true })
  }

  get #usedBytes(): number {
    const { blocks, bfree, bsize } = fs.statfsSync(this.#mounted)
    return (blocks - bfree) * bsize
  }

  #resize(bytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${Math.ceil(bytes / 1_024)}k`, this.#mounted])
  }

  get #ballast(): string {
    return path.join(this.#mounted, 'ballast')
  }
}
