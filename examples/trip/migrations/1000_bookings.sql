-- The same two tables for each of the three services, each in a database of its own. An item is a flight's number for the
-- flight, a city for the hotel and the car.
create table stock (
    item text primary key,
    -- Seats, rooms or cars that nobody holds.
    free bigint not null check (free >= 0),
    -- Cents: of a seat, or of a room or a car for one night.
    price bigint not null check (price between 0 and 1000000000)
);

-- No foreign key: a city without hotels is refused, and that is written down too.
create table bookings (
    trip_id uuid primary key,
    item text not null,
    status text not null check (status in ('RESERVED', 'CONFIRMED', 'CANCELLED', 'REFUNDED', 'REJECTED')),
    reason text
);
create index bookings_by_item on bookings (item);
