-- Version of the schema of the event's data. The default serves programs of an earlier version that still write here.

-- Adding the column takes a moment, but needs a lock that conflicts with every reader. Writers queue up behind whoever waits for
-- it, so nobody waits long: while a dump reads the table, this tries again.
do $$
begin
    perform set_config('lock_timeout', '200ms', true);
    loop
        begin
            lock table outbox in access exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.5);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end $$;

alter table outbox
    add column dataversion int not null default 1,
    -- Rows that are there have the default: they need not be looked at.
    add constraint outbox_dataversion check (dataversion > 0) not valid;
