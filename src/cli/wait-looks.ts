// Owns how often a command that waits looks whether what it waits for has come.

/** Over HTTP each look counts to the limit of the key, which lasts for hours of waiting so. */
export const waitLooksMs = { database: 500, server: 5_000 }
