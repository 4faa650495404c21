// The story of what the steps of a run took from the cache, computed for it, and wrote as artifacts.
import type { AccountEvent } from './account-data.ts'
import { grouped, oneLine, runWords } from './wording.ts'

/** Whether an entry of the history is of this story. */
export function isKept({ kind }: AccountEvent): boolean {
  return kind.startsWith('cache.') || kind.startsWith('artifact.')
}

export function keptWords({ kind, step, item, detail }: AccountEvent): string {
  const place = `${step ?? ''}${item === null ? '' : ` item ${item}`}`
  const text = (name: string) => {
    const value = detail[name]
    return typeof value === 'string' ? oneLine(value).slice(0, 100) : ''
  }
  const value = `${place}: ${text('key')} of ${text('scope')}`
  if (kind === 'cache.hit') return `${value} came from the cache; ${runWords(detail['run'])} computed it`
  if (kind === 'cache.miss') return `${value} was not in the cache, and was computed`
  return `${place}: wrote artifact ${text('name')}, ${grouped(Number(detail['size'] ?? 0))} bytes of ${text('type')}`
}
