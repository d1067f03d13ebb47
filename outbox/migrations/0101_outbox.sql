-- What a program has to say, written in the transaction of the change that it is about; and how far the relay is with it.
--
-- Event ids are UUIDv7, their first 48 bits are the time in milliseconds. So the table is cut into ranges of the id itself: the
-- key stays unique, and what is too old goes a whole partition at a time. Ids that fall into no day's partition lie in the
-- default partition.

-- The columns of Debezium's outbox event router, so that it can take the relay's place.
create sequence outbox_seq;
create table outbox (
    id uuid primary key,
    aggregatetype text not null,
    aggregateid text not null,
    type text not null,
    payload jsonb not null,
    -- The order in which the relay publishes. Drawn after the aggregate's row has been locked, so two transactions on one
    -- aggregate draw in the order in which they commit.
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

-- How far the relay is, and who it is. `epoch` rises with every change of hands: a relay that finds another number than its
-- own has been replaced and stops.
create table relay_cursor (
    only_row boolean primary key default true check (only_row),
    last_seq bigint not null default 0,
    epoch bigint not null default 0,
    holder text,
    lease_until timestamptz,
    updated_at timestamptz not null default now()
);
insert into relay_cursor default values;

-- The partition of `parent` for the day that begins at `day` (UTC); ids between its first and last millisecond. Rows of that
-- day that came before it was there lie in the default partition, and are moved. Call it in a transaction of its own, with a
-- lock_timeout.
create function ensure_day_partition(parent text, day date) returns void language plpgsql as $$
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

select ensure_day_partition('outbox', (now() at time zone 'utc')::date + ahead) from generate_series(0, 2) ahead;

-- The publisher that this database's outbox belongs to. The service declares it when it starts; a relay that has not been
-- told another one publishes only what names it.
create table outbox_publisher (
    only_row boolean primary key default true check (only_row),
    name text not null
);

-- Declares the publisher, and forbids rows that name another. Whoever owns the tables can undo that, so it protects from
-- mistakes; the relay's own setting is what protects other services from this one.
create function declare_publisher(publisher text) returns void language plpgsql as $$
declare
    forbids constant text := 'outbox_names_its_publisher';
begin
    if exists (select from outbox_publisher where name = publisher)
       and exists (select from pg_constraint where conrelid = 'outbox'::regclass and conname = forbids) then
        return;
    end if;
    -- Replicas start at the same time.
    lock table outbox_publisher in share row exclusive mode;
    insert into outbox_publisher (name) values (publisher) on conflict (only_row) do nothing;
    if not exists (select from outbox_publisher where name = publisher) then
        raise exception 'this database belongs to the publisher %, not to %',
            (select name from outbox_publisher), publisher;
    end if;
    if not exists (select from pg_constraint where conrelid = 'outbox'::regclass and conname = forbids) then
        -- Rows that are there are not looked at: that would take long, with writers waiting. The relay looks at each.
        execute format('alter table outbox add constraint %I check (aggregatetype = %L) not valid', forbids, publisher);
    end if;
end $$;
