create table users (
    id bigint primary key,
    username text not null
);

create table balances (
    user_id bigint not null references users (id),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- What the user owns, and the part of it that is held for orders; whole minor units.
    balance bigint not null check (balance >= 0),
    reserved_balance bigint not null default 0 check (reserved_balance >= 0),
    -- What was put in, so that an audit can tell whether anything was lost: an opening balance counts, and `deposit`.
    deposited bigint not null,
    primary key (user_id, currency),
    check (reserved_balance <= balance)
);

create function balances_opening() returns trigger language plpgsql as $$
begin
    new.deposited := coalesce(new.deposited, new.balance);
    return new;
end $$;
create trigger balances_opening before insert on balances for each row execute function balances_opening();

-- The one way to put money in (or, with a negative amount, to take it out) beside the saga.
create function deposit(to_user bigint, in_currency text, amount bigint) returns void language sql as $$
    insert into balances (user_id, currency, balance) values (to_user, in_currency, 0) on conflict do nothing;
    update balances set balance = balance + amount, deposited = deposited + amount
    where user_id = to_user and currency = in_currency;
$$;

create table balance_reservations (
    order_id uuid primary key,
    user_id bigint not null,
    currency text not null,
    amount bigint not null check (amount >= 0),
    status text not null check (status in ('RESERVED', 'CONFIRMED', 'CANCELLED', 'REFUNDED', 'REJECTED')),
    reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index balance_reservations_by_user on balance_reservations (user_id);
