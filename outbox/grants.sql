-- Rights on the outbox's tables, by role; everything that is not granted is refused.

-- A service writes events; it can neither change nor remove them. It leaves out `seq` and `created_at`: an event with a number of
-- its own choice could lie behind the cursor, or move it past all others.
grant insert (id, aggregatetype, aggregateid, type, payload, causationid, traceparent, dataversion) on outbox to {app};
grant usage on sequence outbox_seq to {app};
grant select on outbox_publisher to {app};

-- A relay reads events and moves its cursor.
grant select on outbox, outbox_seq, outbox_publisher, relay_cursor to {relay};
grant update (last_seq, epoch, holder, lease_until, updated_at) on relay_cursor to {relay};

grant select on outbox, outbox_seq, outbox_publisher, relay_cursor to {auditor};
