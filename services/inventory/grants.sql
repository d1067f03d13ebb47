-- Rights on the stock's tables, by role; everything that is not granted is refused. The service can move what is there, and
-- cannot put goods in: it may not change what was received.
grant select, update (stock_quantity, reserved_quantity) on stock to {app};
grant select, insert, update (status, reason, updated_at) on stock_reservations to {app};

grant select on stock, stock_reservations to {auditor};

grant select, insert (product_id, stock_quantity), update (stock_quantity, received) on stock to {operator};
grant execute on function restock(bigint, bigint) to {operator};
