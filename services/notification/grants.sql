-- Rights on the notifications' tables, by role; everything that is not granted is refused. A letter stays as it was written;
-- only that it was sent is added.
grant select on contacts to {app};
grant select, insert, update (sent_at) on notifications to {app};
grant execute on function erase_letters(bigint, uuid[]) to {app};

grant select on contacts, former_contacts, notifications to {auditor};

grant select, insert on contacts to {operator};
