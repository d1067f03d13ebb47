-- Events that a newer version of the service can read are retried by it, and need no person.

-- A parked event, and the version of its schema, while it is parked only because the program that read it was older. A table of its
-- own: another column of `parked_events` would make the prepared statements of programs of an earlier version fail.
create table parked_newer (
    event_id uuid primary key,
    needs_version int not null
);
