-- Rights on the payments' tables, by role; everything that is not granted is refused. The amount of a payment, its payer and
-- how it is paid stay as they were written.
grant select on payment_methods to {app};
grant select, insert, update (phase, status, reason, cancel_reason, updated_at) on payment_transactions to {app};

-- Not the sealed details.
grant select (id, user_id, method_type) on payment_methods to {auditor};
grant select on payment_transactions to {auditor};

grant select (id, user_id, method_type), insert on payment_methods to {operator};
