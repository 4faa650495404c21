// Owns the files that init writes: the configuration and a first pipeline.

export const configText = `// What every millrace command reads: the database, and the pipelines by an explicit list.
import { defineConfig } from 'millrace'
import { hello } from './pipelines/hello.ts'

export default defineConfig({
  // Left out, it is DATABASE_URL; where that is not set, the embedded PostgreSQL of: npx millrace dev
  // database: 'postgres://user:password@localhost:5432/app',
  pipelines: [hello],
})
`

export const helloText = `// Spells a name, letter by letter, and keeps how many letters it took.
import { pipeline } from 'millrace'
import { z } from 'zod'

export const hello = pipeline('hello', {
  input: z.object({ name: z.string().min(1).max(100).default('Ada') }),
})
  // The output of a step is stored once, and never computed again.
  .step('letters', ({ input }) => [...input.name])

  // One task a letter. The first one fails once, so that you see a retry in the account of the run.
  .map('spell', { over: 'letters', retry: { attempts: 5, initial: '1s' } }, ({ item, index, attempt }) => {
    if (index === 0 && attempt === 1) throw new Error('The first letter is shy and wants a second attempt.')
    return item.toUpperCase()
  })

  // Marked tx: these rows, the output and the step's completion are one transaction, so they are written exactly once.
  .step('keep', { tx: true }, async ({ run, input, steps, sql }) => {
    await sql\`create table if not exists greeting (run_id uuid primary key, name text not null, letters int not null)\`
    await sql\`insert into greeting values (\${run.id}, \${input.name}, \${steps.spell.length})\`
    return \`Hello, \${steps.spell.join('-')}!\`
  })
`
