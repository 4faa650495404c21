// How many runs of steps a worker takes at once: one rule for all peers that can be told a number.

/**
 * Twice the runs in flight: with some a run counts as ended while its slot still stores that, and the next run is not to wait for it. A slot more costs nobody
 * anything who asks for work once for all that are free; who asks once for each of them says so in its file.
 */
export function slotsFor(inFlight: number): number {
  return 2 * inFlight
}
