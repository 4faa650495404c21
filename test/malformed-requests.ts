// Requests as HTTP doesn't allow them, over a raw socket: the framings by which requests are smuggled past whatever stands before a server.
import net from 'node:net'

/** What a server answers to these bytes, until it closes or has said a whole head. */
export function sendRaw(port: number, pieces: ReadonlyArray<string | Buffer>): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (more) => {
      answer += more.toString()
      if (answer.includes('\r\n\r\n')) socket.destroy()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)))
    for (const piece of pieces) socket.write(piece)
  })
}

/** The head of a request with one host, a JSON body and these headers besides. */
export function requestHead(
  path: string,
  headers: readonly string[],
  line = `POST ${path} HTTP/1.1`,
): string {
  return `${[line, 'Host: localhost', 'Content-Type: application/json', ...headers].join('\r\n')}\r\n\r\n`
}

const length = 'Content-Length: 2'

/** What is wrong with each, and its bytes, behind which `{}` follows. RFC 9112, and the public reports on request smuggling. */
export function malformedRequests(path: string): Array<[string, string]> {
  const post = `POST ${path} HTTP/1.1`
  const head = (headers: readonly string[], line?: string) => requestHead(path, headers, line)
  return [
    ['Content-Length and Transfer-Encoding', head([length, 'Transfer-Encoding: chunked'])],
    ['Transfer-Encoding and Content-Length', head(['Transfer-Encoding: chunked', length])],
    ['two lengths', head([length, 'Content-Length: 3'])],
    ['a list of lengths', head(['Content-Length: 2, 3'])],
    ['a negative length', head(['Content-Length: -2'])],
    ['a length with a sign', head(['Content-Length: +2'])],
    ['a length in hex', head(['Content-Length: 0x2'])],
    ['a length beyond all bounds', head(['Content-Length: 99999999999999999999'])],
    ['chunked, identity', head(['Transfer-Encoding: chunked, identity'])],
    ['identity, chunked twice', head(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'])],
    ['an unknown coding alone', head(['Transfer-Encoding: gizp'])],
    ['a chunk size that is none', `${head(['Transfer-Encoding: chunked'])}zz\r\n`],
    ['a chunk size with a sign', `${head(['Transfer-Encoding: chunked'])}-1\r\n`],
    ['a chunk that is longer than it says', `${head(['Transfer-Encoding: chunked'])}1\r\n{}\r\n0\r\n\r\n`],
    ['a space before the colon', head(['Content-Length : 2'])],
    ['a space before a header', `${post}\r\n Host: localhost\r\n${length}\r\n\r\n`],
    ['a folded header', head(['X-Folded: a\r\n b', length])],
    ['a header without a colon', head(['X-None', length])],
    ['a header without a name', head([': a', length])],
    ['a name with a bracket', head(['X(: a', length])],
    ['a NUL in a header', head(['X-Nul: a\0b', length])],
    ['a carriage return alone in a header', head(['X-Cr: a\rb', length])],
    ['bare line feeds', `${post}\nHost: localhost\n${length}\n\n{}`],
    ['no method that there is', head([length], `FLY ${path} HTTP/1.1`)],
    ['no version that there is', head([length], `POST ${path} HTTP/9.9`)],
    ['no path', head([length], 'POST HTTP/1.1')],
    ['a space in its path', head([length], `POST ${path} more HTTP/1.1`)],
    ['an address for a path', head([length], `POST http://localhost${path} HTTP/1.1`)],
    ['no host', `${post}\r\n${length}\r\n\r\n{}`],
    ['two hosts', head(['Host: elsewhere', length])],
    ['the same host twice', head(['Host: localhost', length])],
  ]
}
