// Owns what a program gets of an event stream.

/** One event of a stream. */
export interface ServerEvent {
  /** By which the stream can be taken up behind it. */
  readonly id: string | undefined
  /** Its kind. */
  readonly event: string
  readonly data: unknown
}
