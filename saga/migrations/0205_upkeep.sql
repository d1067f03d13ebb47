-- Upkeep by a role that may delete nothing: it calls these functions, which have the rights of the tables' owner. So they
-- check what they are told, and remove only what is past the retention that the owner has set. Names are looked up in this
-- schema alone, never among a caller's temporary tables.

-- Hours for which rows stay whatever the caller says. Written by the owner when it grants the roles' rights; without a row,
-- only the owner removes anything.
create table upkeep_limits (
    only_row boolean primary key default true check (only_row),
    inbox_hours int not null check (inbox_hours > 0),
    outbox_hours int not null check (outbox_hours > 0)
);

-- Migrations whose tables the roles have rights on: a role that cannot read `_sqlx_migrations` looks here, and finds a
-- migration in the moment in which it can use its tables.
create table granted_migrations (
    version bigint primary key,
    checksum bytea not null
);

-- Refuses to go on if rows of `parent` of this moment have to stay. Whoever is the owner is not bound by it: it could remove them
-- without asking.
create function upkeep_require_past(parent text, moment timestamptz) returns void language plpgsql as $$
declare
    hours int := (select case parent when 'inbox' then inbox_hours when 'outbox' then outbox_hours end from upkeep_limits);
begin
    if pg_has_role(session_user, current_user, 'member') then
        return;
    end if;
    if hours is null or moment is null or moment > clock_timestamp() - make_interval(hours => hours) then
        raise insufficient_privilege using message = format(
            'rows of %s stay for at least %s hours here, as the owner has set (upkeep_limits): %s is too early',
            parent, hours, moment);
    end if;
end $$;

-- Refuses other tables than the two that are partitioned by day.
create function upkeep_require_parent(parent text) returns void language plpgsql as $$
begin
    if parent is null or parent not in ('inbox', 'outbox') then
        raise insufficient_privilege using message = 'only inbox and outbox have daily partitions';
    end if;
end $$;

-- Creates a day's partition. A day far from today would only cost time, but as often as it is asked for.
create function upkeep_ensure_day(parent text, day date) returns void language plpgsql security definer as $$
begin
    perform upkeep_require_parent(parent);
    if not pg_has_role(session_user, current_user, 'member')
       and (day is null or abs(day - (clock_timestamp() at time zone 'utc')::date) > 7) then
        raise insufficient_privilege using message = format('%s is not within a week of today', day);
    end if;
    perform ensure_day_partition(parent, day);
end $$;

-- Drops a day's partition that is past its retention; returns false, and drops nothing, if there is none or some of it is
-- unpublished.
create function upkeep_drop_day(parent text, day date) returns boolean language plpgsql security definer as $$
declare
    name text;
    unpublished boolean := false;
begin
    perform upkeep_require_parent(parent);
    perform upkeep_require_past(parent, (day + 1)::timestamp at time zone 'utc');
    name := parent || '_' || to_char(day, 'YYYYMMDD');
    -- The same lock as the drop takes. Taken before the query, so that no row arrives after it. Writers lock the parent first
    -- too.
    execute format('lock table only %I in access exclusive mode', parent);
    if not exists (select from pg_inherits where inhparent = parent::regclass and inhrelid = to_regclass(quote_ident(name))) then
        return false;
    end if;
    if parent = 'outbox' then
        execute format('select exists (select from %I where seq > (select last_seq from relay_cursor))', name) into unpublished;
    end if;
    if not unpublished then
        execute format('drop table %I', name);
    end if;
    return not unpublished;
end $$;

-- Rows in a default partition, counted up to `most`.
create function upkeep_default_rows(parent text, most bigint) returns bigint language plpgsql security definer as $$
declare
    counted bigint;
begin
    perform upkeep_require_parent(parent);
    execute format('select count(*) from (select from %I limit least($1, 100000)) rows', parent || '_default') into counted using most;
    return counted;
end $$;

-- Each of the following removes at most `most` rows, up to 1000, and returns how many.

-- Ids that are not a UUIDv7 of a plausible time expire by their date of arrival.
create function upkeep_remove_seen(before timestamptz, most bigint) returns bigint language plpgsql security definer as $$
declare
    removed bigint;
begin
    perform upkeep_require_past('inbox', before);
    delete from inbox_default where event_id in
        (select event_id from inbox_default where received_at < before order by received_at limit least(most, 1000)
         for update skip locked);
    get diagnostics removed = row_count;
    return removed;
end $$;

-- As with whole days: published, and older than the replay window.
create function upkeep_remove_published(before timestamptz, most bigint) returns bigint language plpgsql security definer as $$
declare
    removed bigint;
begin
    perform upkeep_require_past('outbox', before);
    delete from outbox_default where id in
        (select id from outbox_default where created_at < before and seq <= (select last_seq from relay_cursor)
         order by seq limit least(most, 1000) for update skip locked);
    get diagnostics removed = row_count;
    return removed;
end $$;

-- The operators' actions stay in `parked_actions`.
create function upkeep_remove_settled(before timestamptz, most bigint) returns bigint language plpgsql security definer as $$
declare
    removed bigint;
begin
    perform upkeep_require_past('inbox', before);
    with old as (select event_id from parked_events where status = 'settled' and settled_at < before
                 order by settled_at limit least(most, 1000) for update skip locked),
    gone as (delete from parked_newer where event_id in (select event_id from old))
    delete from parked_events where event_id in (select event_id from old);
    get diagnostics removed = row_count;
    return removed;
end $$;

-- Finished calls, from the one after `after_id` on. A call's id is a UUIDv7 and tells when it was asked for, so the primary
-- key finds the oldest without another index. Returns the last of them if there may be more.
create function upkeep_remove_ended(after_id uuid, before timestamptz, most bigint) returns uuid language plpgsql security definer as $$
declare
    removed uuid[];
    asked_before uuid;
begin
    perform upkeep_require_past('inbox', before);
    asked_before := rpad(lpad(to_hex(greatest(0, extract(epoch from before) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
    with gone as (
        delete from attempts where id in
            (select id from attempts
             where id > after_id and id < asked_before and status in ('done', 'resolved') and updated_at < before
             order by id limit least(most, 1000) for update skip locked)
        returning id)
    select array_agg(id order by id) into removed from gone;
    return case when cardinality(removed) = least(most, 1000) then removed[cardinality(removed)] end;
end $$;

-- Without these lines a caller's temporary table would be found before ours.
do $$
declare
    own regprocedure;
begin
    for own in select oid from pg_proc where pronamespace = current_schema()::regnamespace and proname like 'upkeep\_%' and prosecdef
    loop
        execute format('alter function %s set search_path = %I, pg_temp', own, current_schema());
        execute format('revoke all on function %s from public', own);
    end loop;
end $$;
