// Owns what a doctor looks at in the settings of the installation: numbers that nobody gave clearly, and what counts in their place.
import { grouped, oneLine } from '../../core/wording.ts'
import type { NumberSettingRow } from '../../db/number-settings.ts'
import { type Finding, ok, warn } from './finding.ts'

export function checkSettings(settings: readonly NumberSettingRow[]): Finding {
  const unclear = settings.filter((setting) => !setting.is_clear)
  const [first] = unclear
  if (first === undefined) return ok('settings', 'Each number in millrace.setting is clear')
  const known = first.number ?? defaultDays
  return warn(
    'settings',
    unclear.map(unclearWords).join(' '),
    `Say what you mean, such as: insert into millrace.setting (name, value) values ('${first.name}', '${known}') on conflict (name) do update set value = excluded.value`,
  )
}

const defaultDays = 30

function unclearWords({ name, written, lowest, highest, number }: NumberSettingRow): string {
  const said = written === null ? 'is missing' : `is ${oneLine(written).slice(0, writtenTold)}`
  const bounds = `a whole number from ${lowest} to ${grouped(highest)}`
  const counts = number === null ? 'no history is dropped by its age' : `${grouped(number)} counts`
  return `${name} in millrace.setting ${said}, and should be ${bounds}: ${counts}.`
}

const writtenTold = 40
