-- What comparing a version with the champion came to, and that a version gets traffic or is promoted only with it, as
-- spots_ml/registry/blessings.py has it, whose words a refusal uses. The log only grows; its numbers are its order, and
-- each says the last change of the history that there was then.

create table public.blessings (
    number bigint generated always as identity primary key,
    after_change bigint not null,
    at timestamptz not null check (isfinite(at)),
    actor text not null check (actor <> ''),
    request_id uuid not null unique,
    -- SHA-256 of the text below, as it was sent: a number in it is read as it was written.
    digest text not null check (digest = encode(sha256(convert_to(document, 'UTF8')), 'hex')),
    document text not null check (octet_length(document) <= 200000),
    model_type text not null generated always as (document::jsonb ->> 'model_type') stored,
    version text not null generated always as (document::jsonb ->> 'version') stored,
    champion text generated always as (document::jsonb ->> 'champion') stored,
    passed boolean not null generated always as ((document::jsonb -> 'passed') = 'true'::jsonb) stored,
    sentence text not null generated always as (document::jsonb ->> 'sentence') stored,
    foreign key (model_type, version) references public.model_versions (model_type, version)
);
create index blessings_of_version on public.blessings (model_type, version, number);
create trigger blessings_only_grow before update or delete or truncate on public.blessings
    for each statement execute function private.refuse_change();
alter table public.blessings enable row level security;
revoke all on public.blessings from public, anon, authenticated, service_role;
revoke all on sequence public.blessings_number_seq from public, anon, authenticated, service_role;
grant select on public.blessings to service_role;
select private.close_table('public.blessings');

alter table public.version_history
    -- Whether a person stepped around the blessing that it needed.
    add column forced boolean not null default false;

alter type private.change_call add attribute forced boolean;

create or replace function private.this_call(
    p_function text, p_arguments jsonb, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid
) returns private.change_call
language sql stable set search_path = ''
as $$
    select (p_at, p_actor, p_reason, p_request_id, encode(sha256(convert_to(
        jsonb_build_array(p_function, p_arguments, extract(epoch from p_at), p_actor, p_reason)::text, 'UTF8'
    )), 'hex'), false)::private.change_call
$$;

create or replace function private.note_change(
    p_model_type text, p_version text, p_action text, p_from text, p_to text, p_call private.change_call,
    p_from_value double precision default null, p_to_value double precision default null
) returns void
language sql set search_path = ''
as $$
    insert into public.version_history (
        at, model_type, version, action, from_status, to_status, actor, reason, request_id, request_digest, from_value,
        to_value, forced
    ) values (
        p_call.at, p_model_type, p_version, p_action, p_from, p_to, p_call.actor, p_call.reason, p_call.request_id,
        p_call.request_digest, p_from_value, p_to_value, p_call.forced
    )
$$;

create function private.against(p_champion text) returns text
language sql immutable set search_path = ''
as $$ select coalesce('the active ' || p_champion, 'no active version') $$;

-- Since which change of the history an earlier blessing of a version says no more; 0: it was never rolled back.
create function private.blessing_needed_since(p_model_type text, p_version text) returns bigint
language sql stable set search_path = ''
as $$
    select coalesce(max(sequence), 0) from public.version_history
    where model_type = p_model_type and version = p_version and action in ('rolled_back')
$$;

-- Why a version may not be what it is to be, beside what is active now; null: it may.
create function private.unblessed(
    p_model_type text, p_version text, p_to_be text, p_forced boolean, p_reason text
) returns text
language plpgsql stable set search_path = ''
as $$
declare
    champion_now text := (
        select version from public.model_versions where model_type = p_model_type and status = 'active'
    );
    newest public.blessings;
begin
    if p_forced then
        return case when private.says_nothing(p_reason) then format(
            '%s %s is to be %s without a blessing; say why: `--force --reason "..."`', p_model_type, p_version, p_to_be
        ) end;
    end if;
    select * into newest from public.blessings
    where model_type = p_model_type and version = p_version and champion is not distinct from champion_now
    order by number desc limit 1;
    if not found then
        return format(
            '%1$s %2$s cannot be %3$s: it was never compared with %4$s; `spots-ml bless %1$s %2$s` compares them, '
            '`--force --reason "..."` steps around it', p_model_type, p_version, p_to_be, private.against(champion_now)
        );
    elsif not newest.passed then
        return format(
            '%s %s cannot be %s: compared with %s it was not good enough (%s); train it again, or step around it by '
            '`--force --reason "..."`', p_model_type, p_version, p_to_be, private.against(champion_now), newest.sentence
        );
    elsif newest.after_change < private.blessing_needed_since(p_model_type, p_version) then
        return format(
            '%1$s %2$s cannot be %3$s: it was compared with %4$s before it was rolled back, and not since; '
            '`spots-ml bless %1$s %2$s` compares them, `--force --reason "..."` steps around it',
            p_model_type, p_version, p_to_be, private.against(champion_now)
        );
    end if;
    return null;
end $$;

create type public.blessing_given as (status text, reason text, blessing jsonb);

create function private.blessing_kept(p_blessing public.blessings) returns public.blessing_given
language sql stable set search_path = '' set timezone = 'UTC'
as $$ select ('ok', '', to_jsonb(p_blessing))::public.blessing_given $$;

-- Keeps a blessing; one that is sent again with its id is kept once.
create function public.bless_model_version(
    p_document text, p_at timestamptz, p_actor text, p_request_id uuid
) returns public.blessing_given
language plpgsql security definer set search_path = ''
as $$
declare
    about constant jsonb := p_document::jsonb;
    kept public.blessings;
    status_now text;
    champion_now text;
    refusal text;
begin
    if p_at is null or not isfinite(p_at) then
        refusal := format('the moment of the change is %s; expected one of the calendar', p_at);
    elsif not private.is_line(p_actor) then
        refusal := 'the actor has more than 1,000 characters, or some that cannot be printed; expected one line of text';
    end if;
    if refusal is not null then
        return ('refused', refusal, null)::public.blessing_given;
    end if;
    perform private.lock_registry();
    select * into kept from public.blessings where request_id = p_request_id;
    if found then
        if (kept.document, kept.at, kept.actor) is distinct from (p_document, p_at, p_actor) then
            return ('refused', format(
                'the request id %s belongs to another request; send this one with an id of its own', p_request_id
            ), null)::public.blessing_given;
        end if;
        return private.blessing_kept(kept);
    end if;
    select status into status_now from public.model_versions
    where model_type = about ->> 'model_type' and version = about ->> 'version';
    if not found then
        return ('refused', (private.no_such_version(about ->> 'model_type', about ->> 'version')).reason, null)
            ::public.blessing_given;
    elsif status_now not in ('staging', 'deprecated') then
        return ('refused', format(
            '%s %s is %s; only a staging or a deprecated version is blessed', about ->> 'model_type', about ->> 'version',
            status_now
        ), null)::public.blessing_given;
    end if;
    select version into champion_now from public.model_versions
    where model_type = about ->> 'model_type' and status = 'active';
    if champion_now is distinct from about ->> 'champion' then
        return ('refused', format(
            '%1$s %2$s was compared with %3$s, and by now there is %4$s; `spots-ml bless %1$s %2$s` compares it anew',
            about ->> 'model_type', about ->> 'version', private.against(about ->> 'champion'),
            private.against(champion_now)
        ), null)::public.blessing_given;
    end if;
    insert into public.blessings (after_change, at, actor, request_id, digest, document)
    select coalesce(max(sequence), 0), p_at, p_actor, p_request_id,
        encode(sha256(convert_to(p_document, 'UTF8')), 'hex'), p_document
    from public.version_history
    returning * into kept;
    return private.blessing_kept(kept);
end $$;

drop function public.promote_model_version(text, text, timestamptz, text, text, uuid);
create function public.promote_model_version(
    p_model_type text, p_version text, p_at timestamptz, p_actor text, p_reason text, p_request_id uuid default null,
    p_forced boolean default false
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this private.change_call := private.this_call(
        'promote_model_version', jsonb_build_array(p_model_type, p_version, p_forced), p_at, p_actor, p_reason,
        p_request_id
    );
    before public.version_change;
    status_now text;
    unblessed text;
    active text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now = 'active' then
        return private.refused(format('%s %s is active already; there is nothing to promote', p_model_type, p_version));
    elsif status_now = 'archived' then
        return private.refused(format(
            '%1$s %2$s is archived and cannot be promoted; '
            '`spots-ml unarchive %1$s %2$s --reason "..."` brings it back to staging first', p_model_type, p_version
        ));
    elsif status_now = 'deprecated' and private.says_nothing(p_reason) then
        return private.refused(format(
            '%1$s %2$s was taken out of service; say why it is promoted again: '
            '`spots-ml promote %1$s %2$s --reason "..."`', p_model_type, p_version
        ));
    end if;
    unblessed := private.unblessed(p_model_type, p_version, 'promoted', p_forced, p_reason);
    if unblessed is not null then
        return private.refused(unblessed);
    end if;
    select version into active from public.model_versions where model_type = p_model_type and status = 'active';
    if found then
        perform private.change_status(p_model_type, active, 'superseded', 'active', 'deprecated', this);
    end if;
    this.forced := p_forced;
    perform private.change_status(p_model_type, p_version, 'promoted', status_now, 'active', this);
    return private.changed(p_model_type, p_version);
end $$;

-- A staging version is offered to a share of the hybrid group; 0 takes it back. Promotion and archiving end a rollout.
drop function public.set_rollout_traffic(text, text, double precision, timestamptz, text, text, uuid);
create function public.set_rollout_traffic(
    p_model_type text, p_version text, p_traffic double precision, p_at timestamptz, p_actor text, p_reason text,
    p_request_id uuid default null, p_forced boolean default false
) returns public.version_change
language plpgsql security definer set search_path = ''
as $$
declare
    this private.change_call := private.this_call(
        'set_rollout_traffic', jsonb_build_array(p_model_type, p_version, p_traffic, p_forced), p_at, p_actor, p_reason,
        p_request_id
    );
    before public.version_change;
    status_now text;
    unblessed text;
    other text;
begin
    before := private.before_change(this);
    if before.status is not null then
        return before;
    end if;
    if p_traffic is null or not p_traffic between 0 and 1 then
        return private.refused(format('the traffic %s is no share; expected a number in [0, 1]', p_traffic));
    end if;
    select status into status_now from public.model_versions where model_type = p_model_type and version = p_version;
    if not found then
        return private.no_such_version(p_model_type, p_version);
    elsif status_now <> 'staging' then
        return private.refused(format(
            '%s %s is %s; only a staging version is rolled out', p_model_type, p_version, status_now
        ));
    end if;
    select version into other from public.model_versions
    where model_type = p_model_type and status = 'staging' and traffic > 0 and version <> p_version;
    if found and p_traffic > 0 then
        return private.refused(format(
            '%s %s is being rolled out; promote it, archive it or take its traffic back first', p_model_type, other
        ));
    end if;
    if p_traffic > 0 then
        unblessed := private.unblessed(
            p_model_type, p_version, 'offered to a share of the agents', p_forced, p_reason
        );
        if unblessed is not null then
            return private.refused(unblessed);
        end if;
        this.forced := p_forced;
    end if;
    perform private.change_value(p_model_type, p_version, 'traffic', p_traffic, this);
    return private.changed(p_model_type, p_version);
end $$;

revoke all on function private.against(text), private.blessing_needed_since(text, text),
    private.unblessed(text, text, text, boolean, text), private.blessing_kept(public.blessings)
    from public, anon, authenticated, service_role;
revoke all on function
    public.bless_model_version(text, timestamptz, text, uuid),
    public.promote_model_version(text, text, timestamptz, text, text, uuid, boolean),
    public.set_rollout_traffic(text, text, double precision, timestamptz, text, text, uuid, boolean)
    from public, anon, authenticated;
grant execute on function
    public.bless_model_version(text, timestamptz, text, uuid),
    public.promote_model_version(text, text, timestamptz, text, text, uuid, boolean),
    public.set_rollout_traffic(text, text, double precision, timestamptz, text, text, uuid, boolean)
    to service_role;
