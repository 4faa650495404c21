// Owns what a line of the server's log is.

/** A line of the server's log: an event by its name, and facts. Never a payload, a credential or the text of a database error. */
export type ServerLog = (entry: ServerLogEntry) => void

export interface ServerLogEntry {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly [fact: string]: unknown
}
