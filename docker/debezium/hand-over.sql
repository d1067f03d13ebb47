-- In each service's database, as a superuser, with the relay stopped: from now on Debezium publishes the outbox.
-- Needs wal_level = logical and a role `debezium` with `login replication`.

-- Inserts alone: dropping an old partition is no event. By the root: partitions come and go by the day.
create publication outbox for table outbox with (publish = 'insert', publish_via_partition_root = true);

select format('grant connect on database %I to debezium', current_database()) \gexec
grant usage on schema public to debezium;
-- By the root too, for the first look at what is there already.
grant select on outbox to debezium;

-- Nothing waits for the relay any more: partitions past keeping may go, and the audit does not miss a publication. A relay
-- leaves an outbox alone whose cursor is there, and the new epoch stops one that leads. `hand-back.sql` gives it back.
update relay_cursor set last_seq = 9223372036854775807, epoch = epoch + 1, holder = 'debezium', lease_until = null,
    updated_at = now();
