-- In each service's database, as a superuser, with Debezium's connector deleted: from now on the relay publishes the outbox
-- again. Give the greatest seq that Debezium has published, or a smaller one; the rows after it are published (again):
-- psql -v last_seq=… -f hand-back.sql

update relay_cursor set last_seq = :last_seq, epoch = epoch + 1, holder = null, lease_until = null, updated_at = now();

drop publication if exists outbox;
