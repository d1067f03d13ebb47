-- What people have settled with the other side themselves: the answer that a call is to have, as a word that its service
-- understands. The worker takes it in place of a call. Null everywhere else.
alter table attempts add column answer text;

alter table parked_actions drop constraint parked_actions_action_check;
alter table parked_actions add constraint parked_actions_action_check check (action in ('retry', 'resolve', 'answer'));
