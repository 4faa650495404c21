-- Why a rule can't be enforced for a version of its pipeline; null where it can. What is encrypted is no key, and can't go into a run that
-- another start began: it is bound to its own. And a run that takes in other starts must keep its run key.
create or replace function millrace.start_rule_fault(rule millrace.start_rule, version int) returns text
language plpgsql stable
as $$
declare
  of_version millrace.pipeline_version;
begin
  select v.* into of_version from millrace.pipeline_version v where v.slug = (rule).slug and v.version = start_rule_fault.version;
  return case
    when of_version.is_encrypted and (rule).coalesces then 'its inputs are encrypted, each for its own run, so several starts can''t be made one'
    when of_version.is_encrypted and exists (
      select from jsonb_array_elements((rule).key_paths) path where path not in (select jsonb_array_elements(of_version.graph #> '{encrypt,clear}')))
      then 'its key is encrypted'
    when (rule).coalesces and exists (
      select from jsonb_array_elements(of_version.key_paths) path where path not in (select jsonb_array_elements((rule).key_paths)))
      then 'starts with several run keys would be made one: its key lacks a path of the run key'
    end;
end $$;
comment on function millrace.start_rule_fault(millrace.start_rule, int) is 'Why a rule on starts can''t be enforced for a version; null where it can.';
