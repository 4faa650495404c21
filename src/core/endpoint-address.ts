// Owns which address of an endpoint can be asked.

/** What is wrong with it, as the end of a sentence; undefined where nothing is. It is not quoted: it may hold a secret. */
export function addressFault(url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return unreadable
  const { protocol, username, password } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') return unreadable
  if (username === '' && password === '') return undefined
  return 'a `url` with a user name or a password in it: send them in a header'
}

const unreadable = 'no `url` of http or https that can be read'
