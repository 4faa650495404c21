// Owns what is known of where a request came from.

/** Where a request came from, as it is kept with what it did. */
export interface Origin {
  /** The sender's address, after declared proxies; undefined where the surroundings don't tell it. */
  readonly address: string | undefined
  /** It came over TLS, or a declared proxy says so. */
  readonly secure: boolean
  /** From this machine, to a server that listens on nothing else, with nobody between. */
  readonly local: boolean
  /** In the answer, in the log, and in the audit trail. */
  readonly correlationId: string
  readonly userAgent: string | undefined
}
