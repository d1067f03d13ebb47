-- Calls that people have resolved, as they once could, although the payment still waits for the answer: nobody makes them, and
-- nobody is shown them. They are parked again, for a person to answer or to have them tried again.
update attempts a
set status = 'parked', claimed_by = null, updated_at = now(),
    last_error = 'resolved before calls had answers: answer it, or have it tried again'
from payment_transactions p
where a.status = 'resolved' and p.order_id = a.order_id
  and (p.phase, a.kind) in (('authorizing', 'authorize'), ('capturing', 'capture'), ('voiding', 'void'),
                            ('voiding', 'void-instead'), ('refunding', 'refund'), ('refunding', 'refund-instead'));
