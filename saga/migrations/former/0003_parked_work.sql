-- Parked work can be looked at, tried again and resolved; and while an event of an order is parked, the order's later events
-- queue up behind it.

alter table parked_events
    -- The order in which events came; those of one order are tried again in it.
    add column seq bigint generated always as identity,
    add column order_id uuid,
    add column what text not null default '',
    -- parked: a person is needed. waiting: behind a parked one. retry: a person has asked for another try.
    -- settled: processed after all, or resolved by a person.
    add column status text not null default 'parked' check (status in ('parked', 'waiting', 'retry', 'settled')),
    add column tries int not null default 1,
    add column settled_at timestamptz,
    -- Any bytes, which jsonb cannot hold.
    add column header_names text[] not null default '{}',
    add column header_values bytea[] not null default '{}',
    alter column error drop not null;
update parked_events set
    -- Parked before its order was noted: it stands for itself.
    order_id = event_id,
    header_names = (select coalesce(array_agg(h ->> 0 order by place), '{}')
                    from jsonb_array_elements(headers) with ordinality h (h, place)),
    header_values = (select coalesce(array_agg(convert_to(h ->> 1, 'UTF8') order by place), '{}')
                     from jsonb_array_elements(headers) with ordinality h (h, place));
alter table parked_events
    drop column headers,
    alter column order_id set not null;
-- Empty nearly always: so looking whether anything is parked costs nothing.
create index parked_events_open on parked_events (order_id, seq) where status <> 'settled';

-- A call that a person has settled: no answer of it counts as missing any more.
alter table attempts drop constraint attempts_status_check;
alter table attempts add constraint attempts_status_check check (status in ('open', 'parked', 'done', 'resolved'));

-- What people did about parked work.
create table parked_actions (
    seq bigint generated always as identity primary key,
    at timestamptz not null default now(),
    by_whom text not null,
    action text not null check (action in ('retry', 'resolve')),
    -- An attempt's id or an event's.
    work_id uuid not null,
    order_id uuid not null,
    note text not null
);
create index parked_actions_of on parked_actions (work_id);
