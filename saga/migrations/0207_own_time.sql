-- What the upkeep removes by its age has the database's time, not that of a service, which could otherwise date fresh work back and
-- have it removed. Whoever is the owner, or a member of it, is not bound: it could remove rows without asking.

create function attempts_have_our_time() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'member') then
        -- Not the transaction's time: one could be left open for days.
        new.updated_at := clock_timestamp();
        if tg_op = 'INSERT' then
            new.created_at := new.updated_at;
        end if;
    end if;
    return new;
end $$;

create function parked_events_have_our_time() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'member') then
        new.settled_at := case when new.status = 'settled' then clock_timestamp() end;
    end if;
    return new;
end $$;

revoke all on function attempts_have_our_time(), parked_events_have_our_time() from public;

create trigger own_time before insert or update on attempts for each row execute function attempts_have_our_time();
create trigger own_time before insert or update on parked_events for each row execute function parked_events_have_our_time();
