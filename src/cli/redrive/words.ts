// Owns the words in which commands tell how far a redrive is.
import { count, grouped } from '../../core/wording.ts'
import type { RedriveProgress } from '../../sdk/redrives.ts'

export function progressWords({ id, state, total, done, refused, abortedBy }: RedriveProgress): string {
  const words = { open: 'is under way', completed: 'is through', aborted: `was aborted by ${abortedBy}` }[
    state
  ]
  const part = refused === 0 ? '' : `, ${grouped(refused)} refused`
  return `Redrive ${id} ${words}: ${grouped(done)} of ${count(total, 'run', 'runs')} redriven${part}.`
}
