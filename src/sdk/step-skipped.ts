// Thrown by a handler of Millrace itself where its step is to be skipped: an approval that nobody gave.

export class StepSkipped extends Error {
  override readonly name = 'StepSkipped'
}
