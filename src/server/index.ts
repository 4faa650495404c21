// millrace/server: the HTTP API as a handler of Request and Response.
export { openServer, type Server, type ServerOptions, type Surroundings } from './server.ts'
export {
  listen,
  type Listener,
  type ListenOptions,
  requestListener,
  type RequestHandler,
  type RequestListenerOptions,
} from './listen.ts'
