-- Users whose personal data has been erased: they order no more. Their orders stay, without what names a person.
create table erased_users (
    user_id bigint primary key,
    at timestamptz not null default now()
);

-- Those of these users that are erased. Until the end of the transaction none of the others can be: so an order that is placed in
-- it is seen by an erasure, or refused because of it. In the order of the users, as everybody locks.
create function erased_among(users bigint[]) returns setof bigint language plpgsql as $$
declare
    one bigint;
begin
    for one in select distinct u from unnest(users) u order by u loop
        perform pg_advisory_xact_lock_shared(hashtextextended('erased_users', one));
    end loop;
    return query select user_id from erased_users where user_id = any(users);
end $$;

-- Waits for the transactions that place orders of this user, and keeps further ones waiting until the end of this one.
create function close_user(who bigint) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('erased_users', who));
end $$;

-- Takes an erased user's addresses out of his orders, and what could be compared with them. An address that is sealed stays: its key
-- is gone. The service's role may not change what was ordered, so this has the rights of the tables' owner, and looks itself.
create function erase_orders(who bigint) returns void language plpgsql security definer as $$
begin
    if not exists (select from erased_users where user_id = who) then
        raise insufficient_privilege using message = format('user %s is not erased', who);
    end if;
    update orders
    set facts = case when facts ->> 'ship_to' like 'sealed:%' then facts else facts - 'ship_to' end, request_hash = null
    where user_id = who
      and (request_hash is not null or (facts ? 'ship_to' and facts ->> 'ship_to' not like 'sealed:%'));
end $$;

-- Without these lines a caller's temporary table would be found before ours.
do $$
begin
    execute format('alter function erase_orders set search_path = %I, pg_temp', current_schema());
    revoke all on function erase_orders from public;
end $$;
