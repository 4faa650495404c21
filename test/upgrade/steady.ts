// The pipeline of runs that come all the time while an upgrade goes on.
import type { ReleasedCode } from './release.ts'
import { book, numbered } from './scene.ts'

export const steady = ({ pipeline }: ReleasedCode) =>
  pipeline('steady', numbered)
    .step('first', () => 1)
    .step('book', { tx: true }, book)
