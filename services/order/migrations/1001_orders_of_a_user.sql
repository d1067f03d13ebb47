-- The list of one buyer's orders, newest first, by pages. Building it keeps orders from being written for as long as it takes (about
-- two seconds for a million rows); requests and events wait for that long, none is lost. Where that is too long, build it beforehand
-- with `create index concurrently orders_of_a_user on orders (user_id, created_at, id)`. Not concurrently here: replicas that start
-- together wait for one another's migrations, and the index would wait for them.
create index if not exists orders_of_a_user on orders (user_id, created_at, id);
