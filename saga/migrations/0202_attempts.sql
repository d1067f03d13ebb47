-- Calls to the outside, written down before they are made. A worker claims what is due, calls, and writes the outcome
-- together with what follows from it.

create table attempts (
    id uuid primary key,
    -- What is called: `authorize`, `capture`, `mail`, …
    kind text not null,
    -- The saga's id, whatever the business calls it.
    order_id uuid not null,
    -- The same on every try, so that the other side can recognise a repetition.
    idempotency_key text not null unique,
    request jsonb not null,
    -- A Try that has used up its retries gives up, with an outcome; a Confirm or a Cancel is parked for a person.
    gives_up boolean not null,
    -- resolved: settled by a person; no answer of it counts as missing any more.
    status text not null default 'open' check (status in ('open', 'parked', 'done', 'resolved')),
    tries int not null default 0,
    next_at timestamptz not null default now(),
    last_error text,
    causation_id uuid,
    traceparent text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- The claimant of an open attempt: the number of the session lock that it holds while it lives, on a connection of its
    -- own. Null where nobody is at it.
    claimed_by bigint,
    -- What people have settled with the other side themselves: the answer that a call is to have, as a word that its service
    -- understands. The worker takes it in place of a call. Null everywhere else.
    answer text
);
create index attempts_due on attempts (next_at) where status = 'open';
create index attempts_parked on attempts (updated_at) where status = 'parked';
