// Owns the roles of people, and of keys: the list stands once, for the API, the database and the command line.

/** Each may do what those before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]
