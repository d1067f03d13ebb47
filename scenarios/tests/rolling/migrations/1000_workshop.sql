-- Each service uses one of the tables.
create table cuts (job_id uuid primary key, millimetres bigint not null, done int not null);
create table fits (job_id uuid primary key, millimetres bigint not null, by_version int not null);
