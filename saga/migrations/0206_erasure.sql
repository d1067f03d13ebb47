-- What is kept of finished work may name a person: the calls' requests, and the bytes of events that were parked. When the data of a
-- person is erased, a service has it removed before its retention is over. Who called, when, and with which outcome stays.

-- Has the rights of the tables' owner, as the functions of the upkeep have. It touches nothing that is still to be done.
create function erase_kept(orders uuid[]) returns void language plpgsql security definer as $$
begin
    update attempts set request = '{"erased": true}', last_error = null
    where order_id = any(orders) and status in ('done', 'resolved') and request <> '{"erased": true}';
    update parked_events set key = null, value = null, header_names = '{}', header_values = '{}', error = 'erased'
    where order_id = any(orders) and status = 'settled' and error is distinct from 'erased';
end $$;

-- Without these lines a caller's temporary table would be found before ours.
do $$
begin
    execute format('alter function erase_kept set search_path = %I, pg_temp', current_schema());
    revoke all on function erase_kept from public;
end $$;
