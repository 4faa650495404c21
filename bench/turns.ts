// Two that measure by turns, of whom only one is at work at any moment.

/** What is at work until its round, or all of it, is over. */
export interface Side<Result> {
  /** Gives it the turn: undefined when a round is over, the result when there is no further one. */
  go(): Promise<Result | undefined>
}

/** Gives each the turn until both are done; who is done earlier is not waited for. */
export async function byTurns<Result>(first: Side<Result>, second: Side<Result>): Promise<[Result, Result]> {
  let [one, other]: (Result | undefined)[] = []
  while (one === undefined || other === undefined) {
    one ??= await first.go()
    other ??= await second.go()
  }
  return [one, other]
}
