-- The list of one buyer's orders, newest first, by pages. Building the index keeps orders from being written meanwhile, about two
-- seconds for a million of them: requests and events wait for that long, and none is lost. Where that is too long, build it beforehand:
-- `create index concurrently orders_of_a_user on orders (user_id, created_at, id)`. Not concurrently here: replicas that start
-- together wait for one another's migrations, and the index would wait for them.

-- Writers queue up behind whoever waits for the lock, so nobody waits long: while a long transaction writes, this tries again.
do $$
begin
    perform set_config('lock_timeout', '200ms', true);
    loop
        begin
            lock table orders in share mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.5);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end $$;

create index if not exists orders_of_a_user on orders (user_id, created_at, id);
