-- What phones decided is measured beside what was served, and kept apart from it.
alter table public.performance drop constraint performance_origin_check;
alter table public.performance add constraint performance_origin_check check (origin in ('served', 'replayed', 'phone'));
