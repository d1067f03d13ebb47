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
