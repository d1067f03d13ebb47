-- Events that a newer version of the service can read are retried by it, and need no person.

-- As for the outbox's new column: every batch looks at this table, so nobody waits long behind a dump of it.
do $$
begin
    perform set_config('lock_timeout', '200ms', true);
    loop
        begin
            lock table parked_events in access exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.5);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end $$;

alter table parked_events
    -- Version of the event's schema, while it is parked because the program that read it was older. Null: for another reason.
    add column needs_version int;
