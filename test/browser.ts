// A browser for tests, unpacked once a machine.
import chromium from '@sparticuz/chromium'
import { type Browser, chromium as playwright } from 'playwright-core'
import { inject } from 'vitest'

/** The caller closes it. Without these arguments it comes with those of its package, which switch the same-origin policy off. */
export async function launchBrowser(args: readonly string[] = chromium.args): Promise<Browser> {
  return playwright.launch({ args: [...args], executablePath: await unpackedBrowser(), headless: true })
}

/** Its arguments without the one by which every page may ask every other. */
export const strictArguments = chromium.args.filter((arg) => arg !== '--disable-web-security')

/** Unpacks where temporary files lie, so for that time it is told of a place that outlives the test file. */
async function unpackedBrowser(): Promise<string> {
  const folder = process.env['TMPDIR']
  process.env['TMPDIR'] = inject('machineFolder')
  try {
    return await chromium.executablePath()
  } finally {
    if (folder !== undefined) process.env['TMPDIR'] = folder
  }
}
