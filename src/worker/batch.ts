// Several tasks that one call of a handler gets: together they take one slot.

export class Batch {
  /** How many of them are held still. */
  held = 0
}
