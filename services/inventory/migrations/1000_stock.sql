create table stock (
    product_id bigint primary key,
    -- What is in the warehouse, and the part of it that is held for orders; pieces.
    stock_quantity bigint not null check (stock_quantity >= 0),
    reserved_quantity bigint not null default 0 check (reserved_quantity >= 0),
    -- What was put in, so that an audit can tell whether anything was lost: an opening stock counts, and `restock`.
    received bigint not null,
    check (reserved_quantity <= stock_quantity)
);

create function stock_opening() returns trigger language plpgsql as $$
begin
    new.received := coalesce(new.received, new.stock_quantity);
    return new;
end $$;
create trigger stock_opening before insert on stock for each row execute function stock_opening();

-- The one way to put goods in (or, with a negative quantity, to take them out) beside the saga. Two statements, because
-- the checks look at what an insert proposes before it finds its conflict: a negative quantity would never get through.
create function restock(of_product bigint, quantity bigint) returns void language sql as $$
    insert into stock (product_id, stock_quantity) values (of_product, 0) on conflict do nothing;
    update stock set stock_quantity = stock_quantity + quantity, received = received + quantity
    where product_id = of_product;
$$;

-- One row per item; all rows of an order have the same status and reason. No foreign key: a product that is not in stock
-- is refused, and that is written down too.
create table stock_reservations (
    order_id uuid not null,
    product_id bigint not null,
    quantity bigint not null check (quantity > 0),
    status text not null check (status in ('RESERVED', 'CONFIRMED', 'CANCELLED', 'REFUNDED', 'REJECTED')),
    reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (order_id, product_id)
);
create index stock_reservations_by_product on stock_reservations (product_id);
