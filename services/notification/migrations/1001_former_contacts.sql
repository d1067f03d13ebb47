-- Where buyers wanted their mail before: so that an audit can tell a mail to an address that was theirs from one to a stranger.
create table former_contacts (
    user_id bigint not null,
    address text not null,
    until timestamptz not null default now()
);
create index former_contacts_by_user on former_contacts (user_id);

create function remember_former_contact() returns trigger language plpgsql as $$
begin
    insert into former_contacts (user_id, address) values (old.user_id, old.address);
    return null;
end $$;
create trigger remember_former_contact after update or delete on contacts
    for each row execute function remember_former_contact();
