-- The stages of a rollout are told apart by the moments of its events, and what an agent was told before by the moment of
-- its start. So who starts, looks at or changes one by a clock that is not that of the database is refused: decisions of a
-- treated agent would count as what it did before, or as those of a stage that nobody was in. A decision that claims to be
-- served is held to the same bounds; what is carried over keeps the moments that it had.

create or replace function private.before_rollout_change(p_call private.change_call) returns public.rollout_change
language plpgsql set search_path = '' set timezone = 'UTC'
as $$
declare
    before constant public.version_change := private.before_change(p_call);
    present constant timestamptz := private.present();
    known private.rollout_requests;
begin
    if before.status = 'refused' then
        return private.rollout_refused(before.reason);
    end if;
    select * into known from private.rollout_requests where request_id = p_call.request_id;
    if found and known.request_digest is distinct from p_call.request_digest then
        return private.rollout_refused(format(
            'the request id %s belongs to another request, which changed rollout-%s; send this one with an id of its own',
            p_call.request_id, known.rollout
        ));
    elsif found then
        return private.rollout_now(known.rollout);
    elsif p_call.at not between present - interval '1 hour' and present + interval '15 minutes' then
        return private.rollout_refused(format(
            'it is %s by the clock of who changes a rollout and %s by that of the database; expected at most an hour '
            'behind and 15 minutes ahead: nothing was changed, set the clock and try again',
            to_char(p_call.at, 'YYYY-MM-DD HH24:MI:SS'), to_char(present, 'YYYY-MM-DD HH24:MI:SS')
        ));
    end if;
    return null;
end $$;
