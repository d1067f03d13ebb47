create table catalogue (
    product_id bigint primary key,
    -- Whether it is still handed out.
    available boolean not null
);

-- One row per digital item; all rows of an order have the same status and reason. No foreign key: a product that is not
-- in the catalogue is refused, and that is written down too.
create table entitlements (
    order_id uuid not null,
    user_id bigint not null,
    product_id bigint not null,
    -- An item is unlocked at once, so nothing is ever only reserved, and an unlock that is taken back counts as never given.
    status text not null check (status in ('CONFIRMED', 'CANCELLED', 'REJECTED')),
    reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (order_id, product_id)
);
create index entitlements_by_user on entitlements (user_id);
