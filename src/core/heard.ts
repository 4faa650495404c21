// Owns what becomes of an answer that nobody may ever await.

/** The same answer: whoever doesn't await it leaves its error unheard, such as that an attempt is over; that must not end the process. */
export function heard<Answer>(answer: Answer): Answer {
  if (answer instanceof Promise) answer.catch(() => {})
  return answer
}
