-- Who and why are one line each: nobody writes two entries of the history with one. spots_ml/texts.py has the rule.

create function private.is_line(p_text text) returns boolean
language sql immutable set search_path = ''
as $$
    select coalesce(
        length(p_text) <= 1000
        and p_text !~ '[\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]', true
    )
$$;
revoke all on function private.is_line(text) from public, anon, authenticated, service_role;

create or replace function private.before_change(p_call private.change_call) returns public.version_change
language plpgsql set search_path = ''
as $$
declare
    last public.version_history;
    unfit text;
begin
    if p_call.at is null or not isfinite(p_call.at) then
        return private.refused(format('the moment of the change is %s; expected one of the calendar', p_call.at));
    end if;
    unfit := case
        when not private.is_line(p_call.actor) then 'actor'
        when not private.is_line(p_call.reason) then 'reason'
    end;
    if unfit is not null then
        return private.refused(format(
            'the %s has more than 1,000 characters, or some that cannot be printed; expected one line of text', unfit
        ));
    end if;
    perform private.lock_registry();
    select * into last from public.version_history
    where request_id = p_call.request_id order by sequence desc limit 1;
    if not found then
        return null;
    elsif last.request_digest is distinct from p_call.request_digest then
        return private.refused(format(
            'the request id %s belongs to another request, which left %s %s %s; send this one with an id of its own',
            p_call.request_id, last.model_type, last.version, last.to_status
        ));
    end if;
    return private.changed(last.model_type, last.version, last.action = 'registered');
end $$;
