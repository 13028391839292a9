"""The keys of a local project."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.private_files import write_private


@dataclass(frozen=True)
class Keys:
    """The keys of a project; in no representation.

    Attributes:
        publishable: The key that apps carry.
        secret: The key of the service role.
        jwt_secret: What users' tokens are signed with (HS256).
    """

    publishable: str = field(repr=False)
    secret: str = field(repr=False)
    jwt_secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "Keys":
        """Draw keys at random."""
        return cls(
            publishable=f"sb_publishable_{secrets.token_hex(16)[:31]}",
            secret=f"sb_secret_{secrets.token_hex(16)[:31]}",
            jwt_secret=secrets.token_urlsafe(32),
        )

    @classmethod
    def kept_in(cls, path: Path) -> "Keys":
        """Read the keys that a file keeps; the first time, new ones are drawn.

        Args:
            path: The file; only its owner may read it.

        Returns:
            The same keys every time.

        Raises:
            LocalStackError: When the file holds no keys.
        """
        if not path.exists():
            write_private(path, json.dumps(asdict(cls.new())))
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise LocalStackError(f"{path} holds no keys; remove it, and new ones are drawn") from error

    def hidden_in(self, text: str) -> str:
        """Take the keys out of a text that goes into a message."""
        for key in asdict(self).values():
            text = text.replace(key, "(key)")
        return text
