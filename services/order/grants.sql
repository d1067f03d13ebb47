-- Rights on the orders' tables, by role; everything that is not granted is refused. What was ordered, and what came and was said,
-- stays as it was written.
grant select on products to {app};
grant select, insert, update (status, reason, money, refunded, parcel, unlock, updated_at) on orders to {app};
grant select, insert on order_items, order_history to {app};
-- Who is erased stays erased. Addresses go through a function that looks whether it is so.
grant select, insert (user_id) on erased_users to {app};
grant execute on function erased_among(bigint[]), close_user(bigint), erase_orders(bigint) to {app};

grant select on products, orders, order_items, order_history, erased_users to {auditor};

-- Operators add products, and may have an order time out at once.
grant select, insert on products to {operator};
grant select (id, status, deadline), update (deadline) on orders to {operator};
