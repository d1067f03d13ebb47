-- The latest entry, whether or not a writer has noted that its head is on the topic: a note is the writer's word alone.
create function audit.head(out due_seq bigint, out due_hash bytea, out due_at timestamptz, out chain_genesis bytea)
returns setof record
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select c.last_seq, c.last_hash, c.last_at, c.genesis from audit.chain c where c.last_seq > 0
$$;

revoke all on function audit.head() from public;
