-- The last days of one model are what is read, and what a model's row is held against.

create index watches_of_model on public.watches (model_type, day);
