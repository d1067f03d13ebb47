-- Rights on the suppliers' tables, by role; everything that is not granted is refused.
grant select, update on stock to {app};
grant select, insert, update on bookings to {app};

grant select on stock, bookings to {auditor};

grant select, insert, update on stock to {operator};
