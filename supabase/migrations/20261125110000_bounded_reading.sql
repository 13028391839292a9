-- A day is read as what it holds, however much the table holds; of an agent, `training_by_agent` already does so.
create index training_by_moment on public.calling_score_training_data ("timestamp", row_sequence);
