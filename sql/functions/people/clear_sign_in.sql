-- A try succeeded: for the person it begins anew, and the sender has this one try less. So whoever can sign in as one person gets no more tries at
-- others.
create or replace function millrace.clear_sign_in(account_key text, address_key text default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  delete from sign_in_lock k where k.key = clear_sign_in.account_key;
  update sign_in_lock k set tries = trim_array(k.tries, 1) where k.key = clear_sign_in.address_key and cardinality(k.tries) > 0;
end $$;
comment on function millrace.clear_sign_in(text, text) is 'A try to sign in succeeded: it no longer counts.';
