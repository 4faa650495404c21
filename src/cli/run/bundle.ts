// Owns the bundle that a run is exported as: all that is known of it, without what credentials are called.
import type { RunAccount } from '../../core/account-data.ts'
import { MillraceError } from '../../core/errors.ts'
import { maskedValue } from '../../core/masked-values.ts'
import type { RunValues } from '../../db/run-list.ts'

export interface RunBundle {
  /** The version of this form. */
  readonly millrace_run: 1
  readonly exported_at: string
  readonly input: unknown
  readonly output: unknown
  readonly headers: Readonly<Record<string, unknown>> | null
  readonly account: RunAccount
  /** Where values were masked. */
  readonly masked: readonly string[]
  /** Input, output and headers were left out. */
  readonly without_values: boolean
}

/** @param mask paths to mask besides, which begin with input, output, headers or account */
export function bundleOf(
  account: RunAccount,
  values: RunValues,
  {
    now,
    mask,
    withoutValues,
  }: { readonly now: Date; readonly mask: readonly string[]; readonly withoutValues: boolean },
): RunBundle {
  const { input, output, headers } = values
  const shown = withoutValues ? { input: null, output: null, headers: null } : { input, output, headers }
  // Its own words are no values: of the account, what handlers have said.
  const { metadata, events, ...told } = account
  const said = withoutValues ? { metadata: {}, events: { ...events, listed: [] } } : { metadata, events }
  const { value, paths } = maskedValue({ ...shown, account: said }, mask)
  const clear = value as typeof shown & { readonly account: typeof said }
  return {
    millrace_run: 1,
    exported_at: now.toISOString(),
    input: clear.input,
    output: clear.output,
    headers: clear.headers,
    account: { ...told, ...clear.account },
    masked: paths,
    without_values: withoutValues,
  }
}

/** @throws MillraceError command_invalid where a text is no bundle that can be imported */
export function bundleFrom(text: string, file: string): RunBundle {
  const bundle = parsed(text) as Partial<RunBundle> | null
  const slug = bundle?.account?.run?.pipeline
  if (bundle?.millrace_run !== 1 || typeof slug !== 'string' || typeof bundle.account?.run?.id !== 'string')
    throw new MillraceError(
      'command_invalid',
      `${file} holds no run as millrace run export writes it: export it again.`,
    )
  if (bundle.without_values)
    throw new MillraceError(
      'command_invalid',
      `The run in ${file} was exported without its input, so it cannot begin again: export it with its values.`,
    )
  return bundle as RunBundle
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
