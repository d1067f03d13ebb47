-- Rights on the entitlements' tables, by role; everything that is not granted is refused.
grant select on catalogue to {app};
grant select, insert, update (status, reason, updated_at) on entitlements to {app};

grant select on catalogue, entitlements to {auditor};

grant select, insert on catalogue to {operator};
