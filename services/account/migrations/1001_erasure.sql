-- Takes an erased user's name out. What he owns, and what he paid, stays: it is bookkeeping. The service's role may not change users,
-- so this has the rights of the tables' owner, and can do nothing else to them.
create function erase_user(who bigint) returns void language plpgsql security definer as $$
begin
    update users set username = 'erased' where id = who and username <> 'erased';
end $$;

-- Without these lines a caller's temporary table would be found before ours.
do $$
begin
    execute format('alter function erase_user set search_path = %I, pg_temp', current_schema());
    revoke all on function erase_user from public;
end $$;
