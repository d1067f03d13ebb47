-- The keys that details may be sealed with, by their ids. The keys themselves are kept outside of the database. `v1` is the key of
-- the first format.
create table payment_keys (
    id text primary key,
    added_at timestamptz not null default now()
);
insert into payment_keys (id) values ('v1');

-- Keys that no row uses any more. An id is never used again.
create table retired_payment_keys (
    id text primary key,
    retired_at timestamptz not null default now()
);

-- The key that a method's details need. The reference keeps everyone from retiring a key that a row uses, and from writing a row
-- under a key that is retired, whatever a replica still has in memory.
alter table payment_methods add column details_key text
    generated always as (
        case
            when method_details like 'v1:%' then 'v1'
            when method_details like 'v2:%' then split_part(method_details, ':', 2)
        end
    ) stored
    references payment_keys (id);

-- Rows are counted by key, and a key is retired only if there are none.
create index payment_methods_details_key on payment_methods (details_key);
