-- Users whose data has been erased: no payment method is added for them any more.
create table erased_users (
    user_id bigint primary key,
    at timestamptz not null default now()
);

-- Takes the details of an erased user's payment methods out, and the addresses of his orders unless they are sealed, whose key is
-- gone. What he paid stays: it is bookkeeping. The service's role may change neither, so this has the rights of the tables' owner.
create function erase_payer(who bigint) returns void language plpgsql security definer as $$
begin
    insert into erased_users (user_id) values (who) on conflict do nothing;
    update payment_methods set method_details = null where user_id = who and method_details is not null;
    update payment_transactions set facts = facts - 'ship_to'
    where user_id = who and facts ? 'ship_to' and facts ->> 'ship_to' not like 'sealed:%';
end $$;

-- Without these lines a caller's temporary table would be found before ours.
do $$
begin
    execute format('alter function erase_payer set search_path = %I, pg_temp', current_schema());
    revoke all on function erase_payer from public;
end $$;
