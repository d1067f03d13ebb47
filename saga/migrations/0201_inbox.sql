-- What a service has seen, and how far it has read. Event ids are UUIDv7, so the inbox is cut into days as the outbox is; ids that
-- are no UUIDv7 of our days (foreign ids, hashed) fall into the default partition.

create table inbox (
    event_id uuid primary key,
    received_at timestamptz not null default now()
) partition by range (event_id);
create table inbox_default partition of inbox default;
-- What lies in the default partition goes by the day on which it came.
create index inbox_default_by_arrival on inbox_default (received_at);

select ensure_day_partition('inbox', (now() at time zone 'utc')::date + ahead) from generate_series(0, 2) ahead;

-- Up to where the service has read each partition. A row is written after the commit of all that lies before it, so it is
-- never ahead of what this database contains, also not after a restore or a failover that lost the latest transactions.
-- Kafka's own committed offsets can be. Reading begins at the smaller of the two; without a row, at the beginning.
create table consumer_offsets (
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    updated_at timestamptz not null default now(),
    primary key (topic, partition)
);

-- Dead letters on their way: written in the transaction that gives the record up, published from here afterwards, deleted when
-- the broker has them. So no transaction ever waits for Kafka, and a letter that cannot be published stops nobody.
create table dead_letters (
    id bigint generated always as identity primary key,
    topic text not null,
    partition int not null,
    record_offset bigint not null,
    record_timestamp bigint not null,
    key bytea,
    value bytea,
    -- Size and SHA-256 of a value that is too large to be kept or published; null where `value` is all that there was.
    value_bytes bigint,
    value_sha256 bytea,
    header_names text[] not null,
    header_values bytea[] not null,
    -- Unreadable or Refused.
    class text not null,
    why text not null,
    tries int not null default 0,
    next_at timestamptz not null default now(),
    error text,
    written_at timestamptz not null default now()
);
create index dead_letters_due on dead_letters (next_at, id);
