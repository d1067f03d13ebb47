-- Events that the service could not process: kept whole, so that they can be tried again. While one of a saga is parked, the
-- saga's later events queue up behind it.

create table parked_events (
    event_id uuid primary key,
    topic text not null,
    partition int not null,
    record_offset bigint not null,
    record_timestamp bigint not null,
    key bytea,
    value bytea,
    error text,
    parked_at timestamptz not null default now(),
    -- The order in which events came; those of one saga are tried again in it.
    seq bigint generated always as identity,
    -- The saga's id, whatever the business calls it.
    order_id uuid not null,
    what text not null default '',
    -- parked: a person is needed. waiting: behind a parked one. retry: a person has asked for another try.
    -- settled: processed after all, or resolved by a person.
    status text not null default 'parked' check (status in ('parked', 'waiting', 'retry', 'settled')),
    tries int not null default 1,
    settled_at timestamptz,
    -- Any bytes, which jsonb cannot hold.
    header_names text[] not null default '{}',
    header_values bytea[] not null default '{}'
);
-- Empty nearly always: so looking whether anything is parked costs nothing.
create index parked_events_open on parked_events (order_id, seq) where status <> 'settled';
create index parked_events_settled on parked_events (settled_at) where status = 'settled';

-- What people did about parked work.
create table parked_actions (
    seq bigint generated always as identity primary key,
    at timestamptz not null default now(),
    by_whom text not null,
    action text not null check (action in ('retry', 'resolve', 'answer')),
    -- An attempt's id or an event's.
    work_id uuid not null,
    order_id uuid not null,
    note text not null
);
create index parked_actions_of on parked_actions (work_id);
