-- With the person after whom to go on: a key that cannot be unwrapped stays as it is, and must not be found for ever.
drop function personal.wrapped_otherwise(text);

-- Up to a hundred keys that are wrapped by another key than this one, of persons after this one; null: from the first.
create function personal.wrapped_otherwise(p_key text, p_after bigint) returns table (person bigint, wrapped text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select k.person, k.wrapped from personal.keys k
    where k.wrapped is not null and split_part(k.wrapped, ':', 2) <> p_key and (p_after is null or k.person > p_after)
    order by 1 limit 100
$$;

revoke all on all functions in schema personal from public;
