// Owns what a doctor finds: one thing that it looked at, how it stands, and what to do.

export interface Finding {
  readonly check: string
  readonly level: 'ok' | 'warn' | 'fail'
  readonly message: string
  /** The next action, where there is one. */
  readonly remedy?: string
}

export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message }
}

export function warn(check: string, message: string, remedy: string): Finding {
  return { check, level: 'warn', message, remedy }
}

export function fail(check: string, message: string, remedy: string): Finding {
  return { check, level: 'fail', message, remedy }
}
