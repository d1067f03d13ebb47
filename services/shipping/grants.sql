-- Rights on the shipments' tables, by role; everything that is not granted is refused. Where a parcel goes, and its tracking
-- number, stay as they were written.
grant select, insert, update (status, reason, updated_at) on shipments to {app};
grant select on no_service to {app};
grant execute on function erase_addresses(uuid[]) to {app};

grant select on shipments, no_service to {auditor};
