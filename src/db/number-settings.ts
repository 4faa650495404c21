// The SQL functions of the numbers among the settings: what stands there, and what counts.
import type { Caller } from './call.ts'

export interface NumberSettingRow {
  readonly name: string
  /** The JSON that stands there; null where nothing does. */
  readonly written: string | null
  readonly lowest: number
  readonly highest: number
  /** What counts; null where nothing is taken in the place of what is not clear. */
  readonly number: number | null
  readonly is_clear: boolean
}

export function listNumberSettings(caller: Caller): Promise<NumberSettingRow[]> {
  return caller.call<NumberSettingRow>(
    {
      name: 'millrace_list_number_settings',
      text: 'select name, written, lowest::float8, highest::float8, number::float8, is_clear from millrace.number_settings() order by number is not null, name',
    },
    [],
  )
}
