// Two that measure by turns, of whom only one is at work at any moment.

/** What is at work until its round, or all of it, is over. */
export interface Side<Result> {
  /** Gives it the turn: undefined when a round is over, the result when there is no further one. */
  go(): Promise<Result | undefined>
}

/** Gives each the turn until both are done, and begins each round with the other one; who is done earlier is not waited for. */
export async function byTurns<Result>(first: Side<Result>, second: Side<Result>): Promise<[Result, Result]> {
  let [one, other]: (Result | undefined)[] = []
  const goOne = async () => (one ??= await first.go())
  const goOther = async () => (other ??= await second.go())
  for (let round = 0; one === undefined || other === undefined; round++)
    for (const go of round % 2 === 0 ? [goOne, goOther] : [goOther, goOne]) await go()
  return [one, other]
}
