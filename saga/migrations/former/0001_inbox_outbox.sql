-- What a service has seen and what it has to say: both written in the transaction of the domain change.
--
-- Event ids are UUIDv7, their first 48 bits are the time in milliseconds. So both tables are cut into ranges of the id
-- itself: the key stays unique, and what is too old goes a whole partition at a time. Ids that are no UUIDv7 of our days
-- (foreign ids, hashed) fall into the default partition.

create table inbox (
    event_id uuid primary key,
    received_at timestamptz not null default now()
) partition by range (event_id);
create table inbox_default partition of inbox default;

-- The columns of Debezium's outbox event router, so that it can take the relay's place.
create sequence outbox_seq;
create table outbox (
    id uuid primary key,
    aggregatetype text not null,
    aggregateid text not null,
    type text not null,
    payload jsonb not null,
    -- The order in which the relay publishes. Drawn after the order's row has been locked, so two transactions on one
    -- order draw in the order in which they commit.
    seq bigint not null default nextval('outbox_seq'),
    causationid uuid,
    traceparent text,
    created_at timestamptz not null default clock_timestamp()
) partition by range (id);
create table outbox_default partition of outbox default;
create index outbox_by_seq on outbox (seq);

-- A number of `outbox_seq` that nobody can see is either in flight or lost. The relay tells the two apart by the lock that
-- an insert into `outbox` holds from before the draw until the end of its transaction. So: insert into `outbox`, never into
-- one of its partitions, and never draw a number by hand.

-- How far the relay is, and who it is. `epoch` rises with every change of hands: who finds another number than his own
-- has been replaced and stops.
create table relay_cursor (
    only_row boolean primary key default true check (only_row),
    last_seq bigint not null default 0,
    epoch bigint not null default 0,
    holder text,
    lease_until timestamptz,
    updated_at timestamptz not null default now()
);
insert into relay_cursor default values;

-- The partition of `parent` for the day that begins at `day` (UTC); ids between its first and last millisecond.
create function ensure_day_partition(parent text, day date) returns void language plpgsql as $$
declare
    name text := parent || '_' || to_char(day, 'YYYYMMDD');
    lower_id text := lpad(to_hex((extract(epoch from day::timestamp at time zone 'utc') * 1000)::bigint), 12, '0');
    upper_id text := lpad(to_hex((extract(epoch from (day + 1)::timestamp at time zone 'utc') * 1000)::bigint), 12, '0');
begin
    if to_regclass(name) is null then
        execute format('create table %I partition of %I for values from (%L) to (%L)',
            name, parent, rpad(lower_id, 32, '0')::uuid, rpad(upper_id, 32, '0')::uuid);
    end if;
end $$;

select ensure_day_partition(parent, (now() at time zone 'utc')::date + ahead)
from unnest(array['inbox', 'outbox']) parent, generate_series(0, 2) ahead;
