// Owns the answer to forged requests: what a browser sends by itself, a cookie or its place on this machine, only counts on requests of our own pages.
import { MillraceError } from '../../core/errors.ts'
import type { Guard } from '../guard.ts'
import type { Origin } from '../origin.ts'

/**
 * Fetch Metadata (w3.org/TR/fetch-metadata) says where a request comes from, and Origin (RFC 6454) does where that is not known. What changes something in a
 * session has to carry one of them; what only reads may not come from elsewhere.
 *
 * @param own the origin of our own pages
 */
export function originGuard(own: (request: Request, origin: Origin) => string): Guard {
  return ({ operation, request, origin, signedIn }, next) => {
    const changes = operation.method !== 'get'
    const signsIn = operation.access === 'public' && operation.path.startsWith('/auth/')
    const ambient = signedIn?.ambient === true
    const guarded = ambient ? changes || operation.access !== 'public' : signsIn && changes
    if (!guarded) return next()
    const site = request.headers.get('sec-fetch-site')
    const from = request.headers.get('origin')
    const ours = own(request, origin)
    if (from !== null && from !== ours) throw refused(ours)
    if (site !== null && site !== 'same-origin' && !(site === 'none' && !changes)) throw refused(ours)
    // A developer's own tools send neither, and no browser leaves both out.
    const mustShow = changes && ambient && signedIn?.actor.kind === 'person'
    if (mustShow && site === null && from === null) throw refused(ours)
    return next()
  }
}

function refused(ours: string): MillraceError {
  return new MillraceError('origin_refused', 'This request does not come from a page of this server.', {
    hint: `People reach it under ${ours}.`,
  })
}
