-- A tracking number holds the whole id of its order. Those of earlier versions (17 characters of the end of it) may be the same
-- for two parcels, and stay as they were told to their buyers.
create unique index shipments_tracking_no on shipments (tracking_no) where length(tracking_no) > 17;
