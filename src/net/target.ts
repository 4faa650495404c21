// Where a request may go: the rules for addresses that users give, and the list of exceptions that an operator configures.
import { isIP } from 'node:net'
import { MillraceError } from '../core/errors.ts'
import { isInRanges, isIpRange } from '../core/ip-ranges.ts'
import { isPublicAddress } from './public-address.ts'

/**
 * Exceptions from the rules, none by default. Each entry is one of
 * a range or an address (`10.0.0.0/8`, `10.1.2.3`): reached under any name;
 * a host (`hooks.internal`): reached whatever its address is;
 * an origin (`http://hooks.internal:8080`): this scheme, host and port, and the only way to allow http.
 */
export type AllowedTargets = readonly string[]

/** Why a target is refused. None of them tells an address that was not given. */
export type RefusedReason = 'syntax' | 'scheme' | 'credentials' | 'port' | 'name' | 'address' | 'header'

const said: Readonly<Record<RefusedReason, string>> = {
  syntax: 'it is no URL of at most 2,000 characters',
  scheme: 'only https is called',
  credentials: 'a URL may not hold a user or a password',
  port: 'ports below 1024 other than 443 are not called',
  name: 'its name is one of the inside',
  address: 'it leads to an address that is not public',
  header: 'a request may not name another host in its headers',
}

const urlLengthMax = 2_000

/** Names that never are public (RFC 6761, 6762, 8375, and what ICANN reserved for private use), and those without a dot. */
const insideName = /(?:^|\.)(?:localhost|local|internal|intranet|private|corp|home|lan|home\.arpa)$|^[^.:]+$/

/**
 * The URL of a target that may be called, as far as can be said without resolving its name.
 *
 * @throws MillraceError target_refused
 */
export function checkTarget(given: string | URL, allowed: AllowedTargets = []): URL {
  const url = parsed(given)
  if (url.username !== '' || url.password !== '') throw targetRefused(url, 'credentials')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw targetRefused(url, 'scheme')
  if (allowed.includes(url.origin)) return url
  if (url.protocol !== 'https:') throw targetRefused(url, 'scheme')
  if (url.port !== '' && Number(url.port) < 1_024) throw targetRefused(url, 'port')
  const host = hostOf(url)
  if (isIP(host) === 0) {
    if (insideName.test(host) && !allowed.includes(host)) throw targetRefused(url, 'name')
  } else if (!mayReach(url, host, allowed)) throw targetRefused(url, 'address')
  return url
}

/** Whether a request to this URL may go to this address. */
export function mayReach(url: URL, address: string, allowed: AllowedTargets): boolean {
  if (isPublicAddress(address)) return true
  const host = hostOf(url)
  return allowed.some((entry) => entry === host || entry === url.origin) || isInRanges(address, allowed)
}

/** The host as it is resolved: without the brackets of IPv6, and without the root's dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

/** A refusal: it names the host that was given, never what it resolves to, nor a path, which may be a secret. */
export function targetRefused(url: URL | undefined, reason: RefusedReason): MillraceError {
  const host = url?.host ?? ''
  return new MillraceError(
    'target_refused',
    `The address${host === '' ? '' : ` at ${host}`} is not called: ${said[reason]}.`,
    { fields: { host, reason } },
  )
}

/**
 * Checks a list of exceptions, so that a misspelt one is found at the start of a process and not by a refusal.
 *
 * @throws MillraceError target_invalid
 */
export function checkAllowedTargets(allowed: AllowedTargets): AllowedTargets {
  for (const entry of allowed) {
    if (isIpRange(entry) || isHost(entry) || isOrigin(entry)) continue
    throw new MillraceError(
      'target_invalid',
      `'${entry}' is no range, no host and no origin: write it as 10.0.0.0/8, hooks.internal or http://hooks.internal:8080.`,
      { fields: { entry } },
    )
  }
  return allowed
}

function parsed(given: string | URL): URL {
  const text = String(given)
  if (text.length > urlLengthMax || !URL.canParse(text)) throw targetRefused(undefined, 'syntax')
  return new URL(text)
}

/** Digits and dots alone are a misspelt address: no host of such a name is ever looked up. */
function isHost(entry: string): boolean {
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(entry) && !/^[\d.]+$/.test(entry)
}

function isOrigin(entry: string): boolean {
  return URL.canParse(entry) && /^https?:/.test(entry) && new URL(entry).origin === entry
}
