// Owns how times, durations and counts are said: short, in UTC, and never in more digits than they deserve.
import { unprintable } from './printable.ts'

/** '12 ms', '3.4 s', '2 min 5 s', '3 h 20 min', '4 d 6 h'. */
export function durationWords(ms: number): string {
  const whole = Math.max(0, Math.round(ms))
  if (whole < 1_000) return `${whole} ms`
  if (whole < 60_000) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`
  if (whole < 3_600_000) return pair(whole, 60_000, 'min', 1_000, 's')
  if (whole < 86_400_000) return pair(whole, 3_600_000, 'h', 60_000, 'min')
  return pair(whole, 86_400_000, 'd', 3_600_000, 'h')
}

function pair(ms: number, bigMs: number, big: string, smallMs: number, small: string): string {
  const units = Math.floor(ms / bigMs)
  const rest = Math.floor((ms % bigMs) / smallMs)
  return rest === 0 ? `${units} ${big}` : `${units} ${big} ${rest} ${small}`
}

/** The milliseconds from one ISO time to another. */
export function msBetween(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from)
}

/** '2026-11-21 at 05:40:00.120', in UTC. */
export function dateWords(time: string | Date): string {
  const iso = new Date(time).toISOString()
  return `${iso.slice(0, 10)} at ${iso.slice(11, 23)}`
}

/** '05:40:00.120'; on another day than `began`, '11-22 05:40:00.120'. UTC. */
export function clockOf(began: string, time: string): string {
  const iso = new Date(time).toISOString()
  const isSameDay = new Date(began).toISOString().slice(0, 10) === iso.slice(0, 10)
  return isSameDay ? iso.slice(11, 23) : `${iso.slice(5, 10)} ${iso.slice(11, 23)}`
}

/** '1 item', '1,234 items'. */
export function count(number: number, one: string, many: string): string {
  return `${grouped(number)} ${number === 1 ? one : many}`
}

/** 1234567 as '1,234,567'. */
export function grouped(number: number): string {
  return String(number).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** A text from outside in one line: what a terminal might obey becomes a space. */
export function oneLine(text: string): string {
  return text.replaceAll(unprintable, ' ').trim()
}

/** 'run 01a1…', or that it is another's, of which whoever asks is not told. */
export function runWords(id: unknown): string {
  return typeof id === 'string' ? `run ${oneLine(id)}` : 'a run of others'
}
