-- Rights on the payments' tables, by role; everything that is not granted is refused. The amount of a payment, its payer and
-- how it is paid stay as they were written, and so does a payment method.
grant select, insert (id, user_id, method_type, method_details) on payment_methods to {app};
grant select, insert, update (phase, status, reason, cancel_reason, updated_at) on payment_transactions to {app};
grant select on payment_keys, retired_payment_keys, erased_users to {app};
grant execute on function erase_payer(bigint) to {app};

-- Not the sealed details.
grant select (id, user_id, method_type, details_key) on payment_methods to {auditor};
grant select on payment_transactions, payment_keys, retired_payment_keys, erased_users to {auditor};

-- Operators rotate keys, which reads sealed details and seals their keys anew, and add methods.
grant select, insert, update (method_details) on payment_methods to {operator};
grant select, insert, delete on payment_keys to {operator};
grant select, insert on retired_payment_keys to {operator};
