import pytest
from psycopg.conninfo import conninfo_to_dict

from spots_ml.errors import ConfigError
from spots_ml.stores.supabase.postgres.dsn import PostgresDsn

SECRET = "p@ss/w:rd%"
WRITTEN = "p%40ss%2Fw%3Ard%25"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://postgres.ref:{WRITTEN}@host.example:5432/db",
        f"postgresql://postgres.ref@host.example:5432/db?password={WRITTEN}",
        f"postgresql://postgres.ref:other@host.example:5432/db?password={WRITTEN}",
    ],
)
def test_the_password_is_kept_apart_and_comes_back_for_a_driver(text):
    dsn = PostgresDsn.read(text)

    assert (dsn.password, dsn.user, dsn.host) == (SECRET, "postgres.ref", "host.example:5432")
    assert SECRET not in dsn.open_address and WRITTEN not in dsn.open_address
    read = conninfo_to_dict(dsn.address)
    assert (read["password"], read["user"], read["dbname"], read["port"]) == (SECRET, "postgres.ref", "db", "5432")


def test_it_is_in_no_representation_and_taken_out_of_texts():
    dsn = PostgresDsn.read(f"postgresql://postgres:{WRITTEN}@host.example/db")

    assert SECRET not in repr(dsn) and WRITTEN not in repr(dsn)
    assert dsn.without_password(f"{SECRET} and {WRITTEN}") == "(password) and (password)"


def test_connections_to_other_machines_are_encrypted_unless_the_address_says_otherwise():
    def mode(text):
        return conninfo_to_dict(PostgresDsn.read(text).address).get("sslmode")

    assert mode("postgresql://u@host.example/db") == "require"
    assert mode("postgresql://u@host.example/db?sslmode=verify-full") == "verify-full"
    assert mode("postgresql://u@127.0.0.1/db") is None


def test_a_server_that_is_gone_is_not_waited_for_forever_unless_the_address_says_so():
    read = conninfo_to_dict(PostgresDsn.read("postgresql://u@host.example/db?keepalives_idle=600").address)

    assert (read["keepalives_idle"], read["keepalives_interval"], read["keepalives_count"]) == ("600", "10", "3")
    assert (read["tcp_user_timeout"], read["connect_timeout"]) == ("60000", "10")


def test_options_reach_the_driver_as_they_were_written():
    read = conninfo_to_dict(
        PostgresDsn.read("postgresql://u@host.example/db?options=-c%20role%3Da&application_name=a+b").address
    )
    assert (read["options"], read["application_name"]) == ("-c role=a", "a+b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql//u:top-secret@host/db", "no address of a Postgres"),
        ("https://u:top-secret@host/db", "no address of a Postgres"),
        ("postgresql://u:top-secret@host:port/db", "cannot be read"),
        ("postgresql://u:top-secret@[host/db", "cannot be read"),
        ("postgresql://u:top-secret@host/db?sslmode", "cannot be read"),
        ("postgresql://u:top-secret@pooler.example:6543/db", "transaction pooler"),
    ],
)
def test_what_is_no_address_is_refused_without_telling_it(text, told):
    with pytest.raises(ConfigError, match=told) as caught:
        PostgresDsn.read(text)
    assert "top-secret" not in str(caught.value)
    assert caught.value.__cause__ is None
