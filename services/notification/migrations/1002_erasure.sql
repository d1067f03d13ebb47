-- Takes an erased user's addresses and the texts of his letters out: of the letters themselves, and of the calls that sent them. A mail
-- that is still to be sent is not sent any more, as if an operator had settled it. Kind and times stay. The service's role may not
-- change a letter, so this has the rights of the tables' owner, and can write one word only; the audit finds it where it should not be.
create function erase_letters(who bigint, orders uuid[]) returns void language plpgsql security definer as $$
begin
    delete from contacts where user_id = who;
    delete from former_contacts where user_id = who;
    update notifications set recipient = 'erased', subject = 'erased', body = 'erased'
    where order_id = any(orders) and (recipient, subject, body) is distinct from ('erased', 'erased', 'erased');
    update attempts
    set request = case when request #>> '{order,ship_to}' like 'sealed:%' then request else request #- '{order,ship_to}' end
            || '{"recipient": "erased", "subject": "erased", "body": "erased"}',
        last_error = null, answer = 'sent', status = 'open', next_at = now()
    where kind = 'mail' and order_id = any(orders) and status in ('open', 'parked');
end $$;

-- Without these lines a caller's temporary table would be found before ours.
do $$
begin
    execute format('alter function erase_letters set search_path = %I, pg_temp', current_schema());
    revoke all on function erase_letters from public;
end $$;
