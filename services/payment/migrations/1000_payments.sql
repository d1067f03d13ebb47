-- How users can pay.
create table payment_methods (
    id bigint primary key,
    user_id bigint not null,
    method_type text not null check (method_type in ('card', 'wallet', 'points')),
    -- Sealed: `v1:` and base64 of nonce and AES-256-GCM ciphertext, bound to the id. A wallet or points may have none.
    method_details text
);

-- One payment per order: what has been asked of it and how far it has come.
create table payment_transactions (
    order_id uuid primary key,
    user_id bigint not null,
    payment_method_id bigint not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    -- The public word. It follows from the phase and is written beside it.
    status text not null
        check (status in ('PENDING', 'RESERVED', 'CONFIRMED', 'CANCELLED', 'REFUNDED', 'REJECTED')),
    -- Why it was declined, or why it was undone.
    reason text,
    phase text not null check (phase in ('authorizing', 'authorized', 'declined', 'capturing', 'captured',
        'capture_failed', 'voiding', 'voided', 'refunding', 'refunded', 'cancelled')),
    -- How it is paid, as it was when it was authorized; none where it never came to that.
    method_type text check (method_type in ('card', 'wallet', 'points')),
    -- A cancel that has been noted and not answered yet.
    cancel_reason text,
    -- The order as it travels with the saga, for what is said when the gateway has answered.
    facts jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
