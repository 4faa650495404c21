-- What every verb of an executor outside answers to an argument that can't be right: a code, its name, and what is allowed.
create or replace function millrace.refuse_argument(argument text, allowed text, given text) returns void
language plpgsql stable
as $$
begin
  raise exception '% must be %, not %.', argument, allowed, coalesce(given, 'null')
    using errcode = 'MR014', hint = 'Correct the argument and call again: nothing was changed.';
end $$;
comment on function millrace.refuse_argument(text, text, text) is 'Raises for an argument that can''t be right.';
