-- Partitions can be made at any time, whatever lies in the default partition already.

-- The partition of `parent` for the day that begins at `day` (UTC); ids between its first and last millisecond. Rows of that
-- day that came before it was there lie in the default partition, and are moved. Call it in a transaction of its own, with a
-- lock_timeout.
create or replace function ensure_day_partition(parent text, day date) returns void language plpgsql as $$
declare
    name text := parent || '_' || to_char(day, 'YYYYMMDD');
    lower_id text := lpad(to_hex((extract(epoch from day::timestamp at time zone 'utc') * 1000)::bigint), 12, '0');
    upper_id text := lpad(to_hex((extract(epoch from (day + 1)::timestamp at time zone 'utc') * 1000)::bigint), 12, '0');
    key text;
begin
    if to_regclass(name) is not null then
        return;
    end if;
    -- Writers wait until it is done. One that went on would choose the default partition by what it knew before, and be
    -- refused there. Readers of the table wait only for the default partition. Parent first, as everybody locks.
    execute format('lock table only %I in share row exclusive mode', parent);
    execute format('lock table only %I in access exclusive mode', parent || '_default');
    if to_regclass(name) is not null then
        return;
    end if;
    select a.attname into strict key
    from pg_partitioned_table p join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where p.partrelid = parent::regclass;
    -- Nobody else sees it before it is attached, and by then all rows are where they belong: an id is unique throughout.
    execute format('create table %I (like %I including all)', name, parent);
    execute format('with moved as (delete from only %I where %I >= $1 and %I < $2 returning *)
                    insert into %I select * from moved', parent || '_default', key, key, name)
        using rpad(lower_id, 32, '0')::uuid, rpad(upper_id, 32, '0')::uuid;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)',
        parent, name, rpad(lower_id, 32, '0')::uuid, rpad(upper_id, 32, '0')::uuid);
end $$;

-- What lies in the default partition goes by the day on which it came.
create index inbox_default_by_arrival on inbox_default (received_at);
create index parked_events_settled on parked_events (settled_at) where status = 'settled';

-- The claimant of an open attempt: the number of the session lock that it holds while it lives, on a connection of its own.
-- Null where nobody is at it.
alter table attempts add column claimed_by bigint;
