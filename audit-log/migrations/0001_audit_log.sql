-- The audit log. Whoever owns these tables migrates them; a writer may only execute `audit.append`, a reader only select.

create schema audit;

-- The end of the chain, one row. `append` locks it, so that entries are written one after the other and the chain cannot fork.
create table audit.chain (
    single boolean primary key default true check (single),
    -- What the first entry names as its previous hash. Random, so that no other log's signed heads fit this one.
    genesis bytea not null check (octet_length(genesis) = 32),
    last_seq bigint not null default 0,
    last_hash bytea not null check (octet_length(last_hash) = 32),
    last_at timestamptz not null default '1970-01-01 00:00:00Z'
);
with random as (
    select sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')) as bytes
)
insert into audit.chain (genesis, last_hash) select bytes, bytes from random;

-- The latest entry whose signed head is on the topic. A row of its own: announcing a head does not wait for an entry.
create table audit.publication (
    single boolean primary key default true check (single),
    seq bigint not null default 0
);
insert into audit.publication default values;

create table audit.entries (
    seq bigint primary key,
    at timestamptz not null,
    -- The database role that wrote the entry. The function sets it, not the writer.
    role text not null,
    actor text not null check (octet_length(actor) between 1 and 200),
    known text not null check (known in ('certificate', 'token', 'unverified')),
    action text not null check (octet_length(action) <= 100 and action ~ '^[a-z][a-z_]*(\.[a-z][a-z_]*)*$'),
    object_kind text not null check (octet_length(object_kind) <= 100),
    object_id text not null check (octet_length(object_id) <= 500),
    reason text not null check (octet_length(reason) <= 4000),
    outcome text not null check (outcome in ('began', 'done', 'failed', 'noted')),
    -- Joins the intent and the outcome of one act.
    act uuid not null,
    -- JSON, as text: its bytes must stay what they were.
    details text not null check (octet_length(details) <= 16000),
    previous bytea not null check (octet_length(previous) = 32),
    -- SHA-256 of each of the eleven fields above from `at` to `details`: with them, verifying can name the field.
    digests bytea not null check (octet_length(digests) = 11 * 32),
    hash bytea not null check (octet_length(hash) = 32)
);
create unique index entries_begin on audit.entries (act) where outcome in ('began', 'noted');
create unique index entries_end on audit.entries (act) where outcome in ('done', 'failed');
create index entries_at on audit.entries (at);

-- Appends one entry. It runs as the owner, and the writer chooses neither number, time, role, previous hash nor hash.
create function audit.append(
    p_act uuid, p_actor text, p_known text, p_action text, p_object_kind text, p_object_id text, p_reason text,
    p_outcome text, p_details text,
    out new_seq bigint, out new_at timestamptz, out new_role text, out new_previous bytea, out new_hash bytea,
    out new_genesis bytea)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
    new_digests bytea;
begin
    select last_seq + 1, greatest(clock_timestamp(), last_at), last_hash, genesis
        into strict new_seq, new_at, new_previous, new_genesis
        from audit.chain for update;
    new_role := session_user;
    if p_outcome in ('done', 'failed') and not exists (
        select from audit.entries e where e.act = p_act and e.outcome = 'began' and e.role = new_role and e.action = p_action)
    then
        raise exception 'no act % of this kind was begun by %', p_act, new_role using errcode = 'check_violation';
    end if;
    new_digests := sha256(int8send((extract(epoch from new_at) * 1000000)::bigint))
        || sha256(convert_to(new_role, 'UTF8'))
        || sha256(convert_to(p_actor, 'UTF8'))
        || sha256(convert_to(p_known, 'UTF8'))
        || sha256(convert_to(p_action, 'UTF8'))
        || sha256(convert_to(p_object_kind, 'UTF8'))
        || sha256(convert_to(p_object_id, 'UTF8'))
        || sha256(convert_to(p_reason, 'UTF8'))
        || sha256(convert_to(p_outcome, 'UTF8'))
        || sha256(uuid_send(p_act))
        || sha256(convert_to(p_details, 'UTF8'));
    new_hash := sha256(convert_to('audit-log entry 1', 'UTF8') || new_previous || int8send(new_seq) || new_digests);
    insert into audit.entries
        values (new_seq, new_at, new_role, p_actor, p_known, p_action, p_object_kind, p_object_id, p_reason, p_outcome, p_act,
                p_details, new_previous, new_digests, new_hash);
    update audit.chain set last_seq = new_seq, last_hash = new_hash, last_at = new_at;
end
$$;

-- The latest entry, if its signed head is not yet on the topic.
create function audit.head_due(out due_seq bigint, out due_hash bytea, out due_at timestamptz, out chain_genesis bytea)
returns setof record
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select c.last_seq, c.last_hash, c.last_at, c.genesis from audit.chain c, audit.publication p where c.last_seq > p.seq
$$;

-- Remembers that the head of this entry is on the topic.
create function audit.head_published(p_seq bigint) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
    update audit.publication set seq = greatest(seq, least(p_seq, (select last_seq from audit.chain)))
$$;

revoke all on schema audit from public;
revoke all on all functions in schema audit from public;
