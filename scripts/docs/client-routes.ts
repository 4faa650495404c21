// The operations as the client needs them: their routes, without the schemas, which would weigh more than all else of it.
import { operationList } from '../../src/api/catalogue.ts'

export const routeLinesFile = (): string =>
  `// Written by \`npm run docs\` from src/api: the operations without their schemas, which pages in a browser would otherwise load.

/** In each line the name, the method, the path, and what there is to know besides; src/client/routes.ts reads it. */
export const routeLines = \`
${operationList.map(routeLine).join('\n')}
\`
`

const routeLine = ({
  name,
  method,
  path,
  body,
  answer,
  revised,
  ownIdempotency,
  unwell,
  media,
}: (typeof operationList)[number]): string =>
  [
    name,
    method,
    path,
    ...(body === undefined ? [] : ['body']),
    ...(answer === undefined ? [] : ['answer']),
    ...(revised === true ? ['revised'] : []),
    ...(ownIdempotency !== undefined ? ['once'] : []),
    ...(unwell === true ? ['unwell'] : []),
    ...(media === undefined ? [] : [media]),
  ].join(' ')
