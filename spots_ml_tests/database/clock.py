"""The clock of a test's database: most tests bring their own present along, which is not that of the machine."""


def without_clock(connection):
    """Let a database have no present of its own."""
    set_clock(connection, "null::timestamptz")


def with_its_own_clock(connection):
    """Let a database take its own present, as the migrations have it."""
    set_clock(connection, "now()")


def set_clock(connection, present):
    """Let a database take an expression of SQL for the present."""
    connection.execute(
        "create or replace function private.present() returns timestamptz language sql stable"
        f" set search_path = '' as $$ select {present} $$"
    )
