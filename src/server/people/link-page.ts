// Owns the page on which somebody sets a password: it takes the token from behind the # of its address, and forgets it there at once.

export const linkPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Millrace: set a password</title>
<main>
<h1>Millrace</h1>
<p id="said" role="status">One moment.</p>
<form id="form" hidden>
<p><label>Address <input id="email" type="email" autocomplete="username" required maxlength="254"></label></p>
<p><label>Name <input id="name" autocomplete="name" required maxlength="200"></label></p>
<p><label>Password <input id="password" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></label>
12 characters at least; several words are a good one.</p>
<p><button>Set the password</button></p>
</form>
<noscript>This page needs JavaScript.</noscript>
</main>
<script src="link.js"></script>
</html>
`

/** Its text is put into the page as text: what a link says of somebody is never markup. */
export const linkScript = `'use strict'
const style = new CSSStyleSheet()
style.replaceSync(
  'body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 } main { max-width: 26rem; margin: 12vh auto; padding: 0 1rem }' +
  'label { display: block } input { display: block; box-sizing: border-box; width: 100%; font: inherit; padding: .5rem }' +
  'button { font: inherit; padding: .5rem 1rem }')
document.adoptedStyleSheets = [style]

const byId = (id) => document.getElementById(id)
const say = (text) => { byId('said').textContent = text }
const token = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
// Another link, opened where this page is open.
addEventListener('hashchange', () => location.reload())

async function ask(path, body) {
  const response = await fetch(path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  })
  const text = await response.text()
  const answer = text === '' ? {} : JSON.parse(text)
  if (!response.ok) throw new Error(answer.detail ?? answer.title ?? 'The server did not answer.')
  return answer
}

const asked = {
  invitation: 'Choose the password with which you will sign in.',
  reset: 'Choose another password. Your sessions end with it.',
  first_admin: 'You will be the first admin. Say who you are, and choose a password.',
}

async function begin() {
  const link = await ask('link/show', { token })
  say(asked[link.purpose])
  byId('email').value = link.email ?? ''
  byId('email').readOnly = link.email !== null
  byId('name').value = link.name ?? ''
  byId('form').hidden = false
}

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault()
  const [email, name, password] = ['email', 'name', 'password'].map((id) => byId(id).value)
  try {
    await ask('link/use', { token, password, name, email })
    await ask('sign-in', { email, password })
    byId('form').hidden = true
    say('The password is set, and you are signed in as ' + email + '.')
  } catch (error) {
    say(error.message)
  }
})

// It was forgotten when the page was first opened: a page that is loaded again has none.
if (token === '') say('Open the whole link again as you got it, or ask for another.')
else begin().catch((error) => say(error.message))
`

/** Its own script and requests to its own server, and nothing else. */
export const linkPagePolicy =
  "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
