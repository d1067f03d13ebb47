-- Rights on this library's tables, by role; everything that is not granted is refused. What is past its retention goes
-- through the functions of the upkeep.

grant select, insert (event_id) on inbox to {app};
grant select, insert, update (next_offset, updated_at) on consumer_offsets to {app};
-- A queue: a letter is deleted when the broker has it.
grant select, insert, update (tries, next_at, error), delete on dead_letters to {app};
-- What is called, and what came in, stay as they were written.
grant select, insert, update (status, tries, next_at, last_error, updated_at, claimed_by, answer) on attempts to {app};
grant select, insert, update (status, tries, error, parked_at, settled_at) on parked_events to {app};
-- A mark on a parked event, which goes with the reason for it.
grant select, insert, update (needs_version), delete on parked_newer to {app};
grant select on granted_migrations to {app};
grant execute on function upkeep_ensure_day(text, date), upkeep_drop_day(text, date), upkeep_default_rows(text, bigint),
    upkeep_remove_seen(timestamptz, bigint), upkeep_remove_published(timestamptz, bigint),
    upkeep_remove_settled(timestamptz, bigint), upkeep_remove_ended(uuid, timestamptz, bigint), erase_kept(uuid[]) to {app};

grant select on inbox, consumer_offsets, dead_letters, attempts, parked_events, parked_actions, parked_newer, granted_migrations,
    upkeep_limits to {auditor};

-- What people may do about parked work, and the record that they did it.
grant select on attempts, parked_events, parked_actions to {operator};
grant update (status, answer, tries, next_at, updated_at) on attempts to {operator};
grant update (status, settled_at) on parked_events to {operator};
grant insert (by_whom, action, work_id, order_id, note) on parked_actions to {operator};
