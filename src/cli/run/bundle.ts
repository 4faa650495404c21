// Owns the bundle that a run is exported as: all that is known of it, without what stands under names that credentials have.
import type { RunAccount } from '../../core/account-data.ts'
import { MillraceError } from '../../core/errors.ts'
import { maskedValue } from '../../core/masked-values.ts'
import type { RunValues } from '../../db/run-list.ts'
import { repeatedPlaces, repeatedSecrets } from './difference-masks.ts'
import { unsaidAccount } from './unsaid-account.ts'

export interface RunBundle {
  /** The version of this form. */
  readonly millrace_run: 1
  readonly exported_at: string
  readonly input: unknown
  readonly output: unknown
  /** It stands as null, since the server that was asked gives none so large. */
  readonly output_left_out?: true
  readonly headers: Readonly<Record<string, unknown>> | null
  readonly account: RunAccount
  /** Where values were masked. */
  readonly masked: readonly string[]
  /** Input, output and headers were left out, and of the account what is a value of theirs or in a handler's words. */
  readonly without_values: boolean
}

/**
 * @param mask paths to mask besides, which begin with input, output, headers or account
 * @throws MillraceError command_invalid where the run has nothing at one of them
 */
export function bundleOf(
  account: RunAccount,
  { input, output, headers, output_left_out }: RunValues,
  {
    now,
    mask,
    withoutValues,
  }: { readonly now: Date; readonly mask: readonly string[]; readonly withoutValues: boolean },
): RunBundle {
  const whole = maskedValues({ input, output, headers, account }, mask)
  if (whole.missed !== undefined)
    throw new MillraceError(
      'command_invalid',
      `The run has nothing at ${whole.missed} that --mask could mask.`,
      {
        hint: 'Write it as in input.customer.email: it begins with input, output, headers or account.',
      },
    )
  const bare = { input: null, output: null, headers: null, account: unsaidAccount(account) }
  const { value, paths } = withoutValues ? maskedValues(bare, mask) : whole
  return {
    millrace_run: 1,
    exported_at: now.toISOString(),
    ...value,
    ...(output_left_out === true && { output_left_out }),
    masked: paths,
    without_values: withoutValues,
  }
}

type BundleValues = Pick<RunBundle, 'input' | 'output' | 'headers' | 'account'>

interface MaskedBundle {
  readonly value: BundleValues
  readonly paths: readonly string[]
  /** A path to mask at which there is nothing. */
  readonly missed: string | undefined
}

/** What tasks wrote stays as it is: names in there are those of tables, and the values are counts. */
function maskedValues({ account, ...values }: BundleValues, mask: readonly string[]): MaskedBundle {
  const { attempts } = account
  const uncounted = attempts.listed.map((attempt) => ({ ...attempt, writes: null }))
  const asked = mask.map((path) => [path, ...repeatedPlaces(account, path)])
  const { value, paths, met } = maskedValue(
    { ...values, account: { ...account, attempts: { ...attempts, listed: uncounted } } },
    [...asked.flat(), ...repeatedSecrets(account)],
  )
  const clear = value as BundleValues
  const listed = clear.account.attempts.listed.map((attempt, index) => ({
    ...attempt,
    writes: attempts.listed[index]?.writes ?? null,
  }))
  return {
    value: { ...clear, account: { ...clear.account, attempts: { ...clear.account.attempts, listed } } },
    paths,
    missed: mask.find((_, index) => !asked[index]?.some((place) => met.has(place))),
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
