-- Where a buyer wants mail. Who is not in here has an address made from his number.
create table contacts (
    user_id bigint primary key,
    address text not null
);

-- One letter per finished order.
create table notifications (
    order_id uuid primary key,
    kind text not null check (kind in ('receipt', 'welcome', 'cancellation', 'rejection')),
    recipient text not null,
    subject text not null,
    body text not null,
    created_at timestamptz not null default now(),
    -- When the mail system took it; null until then.
    sent_at timestamptz
);
create index notifications_unsent on notifications (created_at) where sent_at is null;
