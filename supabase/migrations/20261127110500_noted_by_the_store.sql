-- Beside the moment that whoever changes a version tells, its history has the database's own: decisions of a version are
-- held against this one, because a clock that is ahead would make what was served be taken for what was not. Entries of
-- before have none.

alter table public.version_history add column noted_at timestamptz;
alter table public.version_history alter column noted_at set default private.present();
