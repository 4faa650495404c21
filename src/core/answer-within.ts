// Owns waiting for an answer no longer than so many milliseconds.

/** More would be a moment to a timer. */
const timerMsMax = 2_147_483_647

/** What comes first: the answer, or the end of the time, with what stands for it then. An answer that comes later is nobody's. */
export async function answerWithin<Answer, Late>(
  ms: number,
  answer: Promise<Answer>,
  late: Late,
): Promise<Answer | Late> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<Late>((resolve) => {
    timer = setTimeout(() => resolve(late), Math.min(ms, timerMsMax))
  })
  try {
    return await Promise.race([answer, over])
  } finally {
    clearTimeout(timer)
  }
}
