-- Rights on the accounts' tables, by role; everything that is not granted is refused. The service can move what is there, and
-- cannot put money in: it may not change what was deposited.
grant select on users to {app};
grant select, update (balance, reserved_balance) on balances to {app};
grant select, insert, update (status, reason, updated_at) on balance_reservations to {app};
grant execute on function erase_user(bigint) to {app};

grant select on users, balances, balance_reservations to {auditor};

grant select, insert on users to {operator};
grant select, insert (user_id, currency, balance), update (balance, deposited) on balances to {operator};
grant execute on function deposit(bigint, text, bigint) to {operator};
