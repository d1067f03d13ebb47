-- Calls to the outside, written down before they are made. A worker claims what is due, calls, and writes the outcome
-- together with what follows from it.

create table attempts (
    id uuid primary key,
    -- What is called: `authorize`, `capture`, `mail`, …
    kind text not null,
    order_id uuid not null,
    -- The same on every try, so that the other side can recognise a repetition.
    idempotency_key text not null unique,
    request jsonb not null,
    -- A Try that has used up its retries gives up, with an outcome; a Confirm or a Cancel is parked for a person.
    gives_up boolean not null,
    status text not null default 'open' check (status in ('open', 'parked', 'done')),
    tries int not null default 0,
    next_at timestamptz not null default now(),
    last_error text,
    causation_id uuid,
    traceparent text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index attempts_due on attempts (next_at) where status = 'open';
create index attempts_parked on attempts (updated_at) where status = 'parked';

-- Events that the service could not process: kept whole, so that they can be tried again.
create table parked_events (
    event_id uuid primary key,
    topic text not null,
    partition int not null,
    record_offset bigint not null,
    record_timestamp bigint not null,
    key bytea,
    value bytea,
    headers jsonb not null,
    error text not null,
    parked_at timestamptz not null default now()
);
