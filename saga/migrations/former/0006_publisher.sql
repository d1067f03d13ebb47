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
