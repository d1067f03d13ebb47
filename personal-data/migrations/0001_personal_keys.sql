-- Keys of persons, each wrapped by a key of the keyring. Whoever owns the table migrates it; everybody else may only execute the
-- functions below that he was given, and sees no key that he does not ask for by its person.

create schema personal;

create table personal.keys (
    person bigint primary key,
    -- `v2:<key id>:<wrapped data key>:<nonce and ciphertext>`; null once the person is erased. The row stays, so that nobody gives an
    -- erased person a new key.
    wrapped text check (octet_length(wrapped) <= 1000),
    created_at timestamptz not null default now(),
    erased_at timestamptz,
    check ((wrapped is null) = (erased_at is not null))
);
-- What is erased should not lie in a dead row for long: each one is reason enough for a vacuum.
alter table personal.keys set (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

-- The keys of these persons, as far as they are known. Null: erased.
create function personal.keys_of(p_persons bigint[]) returns table (person bigint, wrapped text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select k.person, k.wrapped from personal.keys k where k.person = any(p_persons)
$$;

-- Remembers a key for each person who has none; keys that are there stay, and so do erasures.
create function personal.offer(p_persons bigint[], p_wrapped text[]) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
    insert into personal.keys (person, wrapped)
        select o.person, o.wrapped from unnest(p_persons, p_wrapped) o (person, wrapped)
        where o.wrapped is not null order by 1
        on conflict do nothing
$$;

-- Erases a person: the key is gone, also if there never was one. Returns whether he was not erased before.
create function personal.erase(p_person bigint) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
    news boolean;
begin
    insert into personal.keys as k (person, wrapped, erased_at) values (p_person, null, now())
        on conflict (person) do update set wrapped = null, erased_at = now() where k.wrapped is not null
        returning true into news;
    return coalesce(news, false);
end
$$;

-- Puts a key that was wrapped anew in the place of the one that was read, unless that has changed meanwhile.
create function personal.replace(p_person bigint, p_before text, p_after text) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
begin
    update personal.keys k set wrapped = p_after where k.person = p_person and k.wrapped = p_before and p_after is not null;
    return found;
end
$$;

-- Up to a hundred keys that are wrapped by another key than this one.
create function personal.wrapped_otherwise(p_key text) returns table (person bigint, wrapped text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select k.person, k.wrapped from personal.keys k
    where k.wrapped is not null and split_part(k.wrapped, ':', 2) <> p_key order by 1 limit 100
$$;

revoke all on schema personal from public;
revoke all on all functions in schema personal from public;
