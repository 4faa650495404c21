// Owns the run ids that commands take.
import { MillraceError } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'

/** @throws MillraceError command_invalid */
export function runIdOf(text: string): string {
  const id = text.trim().toLowerCase()
  if (isUuid(id)) return id
  throw new MillraceError('command_invalid', `'${text.slice(0, 60)}' is no run id.`, {
    fields: { runId: text },
    hint: 'List the runs with: npx millrace run list',
  })
}
