// Faults of the server that writes of runs meet, as a damaged page or a full disk makes them.
import type { Sql } from './protocol.ts'

interface Fault {
  /** Runs of this pipeline meet it. */
  readonly slug: string
  readonly state: string
  readonly write: 'insert' | 'update'
  /** So many writes do, in order; all of them unless told. */
  readonly times?: number
}

/** While `call` is under way, writes of a pipeline's runs fail. */
export async function whileFaulty<Answer>(
  sql: Sql,
  { slug, state, write, times = 2_147_483_647 }: Fault,
  call: () => Promise<Answer>,
): Promise<Answer> {
  // A sequence counts what is rolled back as well.
  await sql.query(`create sequence faults;
    create function fault() returns trigger language plpgsql as $$
    begin
      if nextval('public.faults') <= ${times} then
        raise exception 'could not extend file' using errcode = '${state}';
      end if;
      return new;
    end $$;
    create trigger fault before ${write} on millrace.run for each row when (new.slug = '${slug}') execute function fault()`)
  try {
    return await call()
  } finally {
    await sql.query('drop function fault cascade; drop sequence faults')
  }
}
