// The page of a link in a browser: somebody sets a password there, is signed in, and leaves no token behind.
import { afterEach, expect, test } from 'vitest'
import { launchBrowser, strictArguments } from '../../../test/browser.ts'
import { peopleOn, strongPassword } from '../../../test/people.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { listen, type Listener } from '../listen.ts'

const { database } = await openMillrace()
const openPeople = peopleOn(database)
const listeners: Listener[] = []
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
})

test('K5 the first admin sets a password in a browser and is signed in there; neither script nor address keeps the token, and a page elsewhere gets nowhere', async () => {
  // The address is known only once somebody listens there.
  let answer: Parameters<typeof listen>[0] = () => Promise.resolve(new Response())
  const listener = await listen((request, surroundings) => answer(request, surroundings), {
    port: 0,
    graceMs: 0,
  })
  listeners.push(listener)
  const url = `http://127.0.0.1:${listener.port}`
  const { server, first } = await openPeople({}, { url })
  answer = server.fetch
  const token = await first()
  const browser = await launchBrowser(strictArguments)
  try {
    const context = await browser.newContext({ locale: 'en-US' })
    const page = await context.newPage()
    const asked: string[] = []
    const problems: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    await page.goto(`${url}/auth/link#${token}`)
    await page.getByText('You will be the first admin').waitFor()
    expect(page.url()).toBe(`${url}/auth/link`)
    await page.getByLabel('Address').fill('ann@example.org')
    await page.getByLabel('Name').fill('<img src=x onerror=alert(1)>')
    await page.getByLabel('Password').fill(strongPassword)
    await page.getByRole('button').click()
    await page.getByText('you are signed in as ann@example.org').waitFor()
    expect(asked.join(' ')).not.toContain(token)
    expect(problems).toEqual([])
    const actor = () => page.evaluate(async () => (await fetch('/auth/actor')).json())
    expect(await actor()).toMatchObject({ name: 'ann@example.org', role: 'admin' })
    const [cookie] = await context.cookies(url)
    expect(cookie).toMatchObject({ name: 'millrace_session', httpOnly: true, sameSite: 'Strict' })

    // The same link once more, and a page of another origin that posts a form and asks by script.
    await page.goto(`${url}/auth/link#${token}`)
    await page.getByText('was used or replaced').waitFor()
    const evil = await context.newPage()
    await evil.route('http://evil.test/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" enctype="text/plain" action="${url}/auth/sign-out"><button>Go</button></form>`,
      }),
    )
    await evil.goto('http://evil.test/')
    const status = await evil.evaluate(
      (address) =>
        fetch(address, { credentials: 'include' }).then(
          ({ status }) => status,
          () => 'refused',
        ),
      `${url}/auth/actor`,
    )
    expect(status).toBe('refused')
    const answered = evil.waitForResponse(`${url}/auth/sign-out`)
    await evil.getByRole('button').click()
    expect([401, 403]).toContain((await answered).status())
    expect(await actor()).toMatchObject({ name: 'ann@example.org' })
  } finally {
    await browser.close()
  }
})
