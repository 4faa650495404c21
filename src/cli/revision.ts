// Owns the option by which a change says on which revision it was decided.
import { Option } from 'commander'
import { wholeNumber } from './option-values.ts'

export function ifRevisionOption(): Option {
  return new Option(
    '--if-revision <n>',
    'only where nobody has changed it since this revision, which show tells',
  ).argParser(wholeNumber('--if-revision', 0, 999_999_999))
}
