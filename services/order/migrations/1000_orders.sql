-- The catalogue: an order is priced from it once, and never again.
create table products (
    id bigint primary key,
    name text not null,
    -- Whole minor units of the currency.
    price bigint not null check (price >= 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    kind text not null check (kind in ('physical', 'digital'))
);

create table orders (
    id uuid primary key,
    user_id bigint not null,
    payment_method_id bigint not null,
    -- XXX, ISO 4217's "no currency", for an order that was rejected before it could be priced.
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    total_amount bigint not null check (total_amount >= 0),
    status text not null check (status in ('PENDING', 'CANCELLING', 'COMPLETED', 'CANCELLED', 'REJECTED')),
    reason text,
    deadline timestamptz check (deadline is not null or status in ('CANCELLED', 'REJECTED')),
    -- The order as it travels with the saga: `data.order` of every event.
    facts jsonb not null,
    -- Tells the same request published again from another one under the same id. Null where no request has come: the
    -- order is known only from a compensation that was faster.
    request_hash bytea,
    -- Whether the buyer's money has come to rest after a failure, and what went back.
    money text not null default 'open' check (money in ('open', 'settled')),
    refunded bigint not null default 0 check (refunded >= 0),
    -- How far shipping and entitlement are; null where they have nothing to do.
    parcel text check (parcel in ('open', 'done', 'refused', 'undone')),
    unlock text check (unlock in ('open', 'done', 'refused', 'undone')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (money = 'open' or reason is not null)
);
create index orders_overdue on orders (deadline) where status = 'PENDING';

create table order_items (
    order_id uuid not null references orders (id),
    product_id bigint not null,
    quantity bigint not null check (quantity > 0),
    unit_price bigint not null check (unit_price >= 0),
    primary key (order_id, product_id)
);

-- What came and what was said, for the buyer's timeline. Insert-only.
create table order_history (
    id bigint generated always as identity,
    order_id uuid not null,
    at timestamptz not null,
    event text not null,
    service text not null,
    primary key (order_id, id)
);
