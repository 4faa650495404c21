// Dividing SQL into statements: a semicolon counts only where PostgreSQL would see it.
import { expect, test } from 'vitest'
import { splitStatements } from './sql-statements.ts'

test.each([
  ['two statements', 'select 1; select 2;', ['select 1', 'select 2']],
  ['a last one without semicolon', 'select 1;\nselect 2\n', ['select 1', 'select 2']],
  ['strings', "select 'a;''b;'; select 2", ["select 'a;''b;'", 'select 2']],
  ['quoted names', 'select ";" from "a;b"; select 2', ['select ";" from "a;b"', 'select 2']],
  ['dollar quotes', 'do $$ begin; end $$; select 2', ['do $$ begin; end $$', 'select 2']],
  ['tagged dollar quotes', 'do $a$ $$;$b$ $a$; select $1', ['do $a$ $$;$b$ $a$', 'select $1']],
  ['comments', "-- it's one; two\nselect 1 /* ; ' */; -- end", ['select 1']],
  ['minus and division', 'select 4 - 1 / 3; select 2', ['select 4 - 1 / 3', 'select 2']],
  ['nothing', ' ;\n-- nothing\n;', []],
])('%s', (_, text, statements) => {
  expect(splitStatements(text)).toEqual(statements)
})
