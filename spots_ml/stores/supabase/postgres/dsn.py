"""The address of a project's Postgres, checked: what may be told of it, and what may not."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from spots_ml.errors import ConfigError
from spots_ml.stores.supabase.transport.connection import LOOPBACK

_TRANSACTION_POOLER_PORT: Final = 6543
_EXPECTED: Final = (
    "expected the address of the direct connection or of the session pooler, such as "
    "postgresql://user:password@host:5432/postgres"
)
_DEFAULTS: Final = {"connect_timeout": "10", "application_name": "spots_ml"}
_UNANSWERED: Final = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Who waits for rows of a server that is gone learns of it after a minute; else it would be hours."""

_HIDDEN: Final = "(password)"


@dataclass(frozen=True)
class PostgresDsn:
    """Where a Postgres is and who asks; read from text by `read`.

    Attributes:
        open_address: The address without its password, completed by what is the same for every connection: encrypted
            unless it says otherwise or names this machine.
        host: Host and port, for messages.
        password: The password as it is, not as it is written in an address; in no representation. None: none is told.
    """

    open_address: str
    host: str
    password: str | None = field(repr=False)

    @classmethod
    def read(cls, text: str) -> "PostgresDsn":
        """Read an address.

        Args:
            text: `postgresql://user:password@host:port/database`. Supabase's transaction pooler (port 6543) gives no
                connection that stays, so it is refused.

        Returns:
            What it says.

        Raises:
            ConfigError: When it is no such address; the message holds nothing of it but its port.

        >>> dsn = PostgresDsn.read("postgresql://postgres:secr%20et@127.0.0.1:5432/postgres")
        >>> dsn.host, dsn.password
        ('127.0.0.1:5432', 'secr et')
        >>> dsn.open_address
        'postgresql://postgres@127.0.0.1:5432/postgres?connect_timeout=10&application_name=spots_ml'
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
            # In such an address a plus is a plus.
            options = dict(parse_qsl(parts.query.replace("+", "%2B"), strict_parsing=bool(parts.query)))
        except ValueError:
            # The error's own words may hold the password.
            raise ConfigError(f"the Postgres DSN cannot be read as an address; {_EXPECTED}") from None
        if parts.scheme not in ("postgresql", "postgres") or not host:
            raise ConfigError(f"the Postgres DSN is no address of a Postgres; {_EXPECTED}")
        if port == _TRANSACTION_POOLER_PORT:
            raise ConfigError(
                f"the Postgres DSN names port {port}, the transaction pooler, whose connections do not stay; "
                f"{_EXPECTED}"
            )
        defaults = _DEFAULTS if host in LOOPBACK else _DEFAULTS | {"sslmode": "require"}
        # Postgres takes the one behind the question mark where there are two.
        password = options.pop("password", None if parts.password is None else unquote(parts.password))
        user, _, place = parts.netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}@{place}" if user else place
        return cls(
            open_address=parts._replace(netloc=netloc, query=urlencode(defaults | options, quote_via=quote)).geturl(),
            host=host if port is None else f"{host}:{port}",
            password=password,
        )

    @property
    def user(self) -> str | None:
        """Who asks; None: whoever the process runs as."""
        name = urlsplit(self.open_address).username
        return None if name is None else unquote(name)

    @property
    def address(self) -> str:
        """The address with its password, and with what only libpq knows, for a driver alone."""
        parts = urlsplit(self.open_address)
        options, netloc = _UNANSWERED | dict(parse_qsl(parts.query)), parts.netloc
        if self.password is not None and parts.username is None:
            options["password"] = self.password
        elif self.password is not None:
            user, _, place = netloc.rpartition("@")
            netloc = f"{user}:{quote(self.password, safe='')}@{place}"
        return parts._replace(netloc=netloc, query=urlencode(options, quote_via=quote)).geturl()

    def without_password(self, text: str) -> str:
        """Take the password out of a text that goes into a message.

        Args:
            text: What a server, a library or a program said.

        Returns:
            The text with the password replaced, however it is written.
        """
        for secret in filter(None, (self.password, quote(self.password or "", safe=""), quote(self.password or ""))):
            text = text.replace(secret, _HIDDEN)
        return text
