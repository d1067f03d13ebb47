create table shipments (
    order_id uuid primary key,
    ship_to text,
    -- A parcel is booked at once, so nothing is ever only reserved, and one that stays was never taken.
    status text not null check (status in ('CONFIRMED', 'CANCELLED', 'REJECTED')),
    tracking_no text,
    reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (status <> 'CONFIRMED' or (ship_to is not null and tracking_no is not null))
);

-- Where no carrier goes: an address that contains one of these words, in whatever case, is refused.
create table no_service (
    place text primary key check (place <> '' and place = lower(trim(place)))
);
insert into no_service values ('nowhere'), ('atlantis');
