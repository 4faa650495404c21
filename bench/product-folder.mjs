// Where the built product lies that is measured: this checkout, or the folder of another revision.
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Its path; BENCH_PRODUCT names another one. */
export const productFolder = process.env.BENCH_PRODUCT ?? fileURLToPath(new URL('..', import.meta.url))

/** The address of one of its modules, by its path in dist/. */
export const productModule = (path) => new URL(`dist/${path}`, `${pathToFileURL(productFolder).href}/`).href
