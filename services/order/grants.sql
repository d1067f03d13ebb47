-- Rights on the orders' tables, by role; everything that is not granted is refused. What was ordered, and what came and was said,
-- stays as it was written.
grant select on products to {app};
grant select, insert, update (status, reason, money, refunded, parcel, unlock, updated_at) on orders to {app};
grant select, insert on order_items, order_history to {app};

grant select on products, orders, order_items, order_history to {auditor};

-- Operators add products, and may have an order time out at once.
grant select, insert on products to {operator};
grant select (id, status, deadline), update (deadline) on orders to {operator};
