// Whose turn it is to measure: in a process of its own always ours, and by rounds where two revisions are compared.

let waitForNext = (): Promise<void> => Promise.resolve()

/** From now on the turn is given away after each round; `next` resolves when it comes back. */
export function shareTurns(next: () => Promise<void>): void {
  waitForNext = next
}

/** A round is over. */
export function endTurn(): Promise<void> {
  return waitForNext()
}
