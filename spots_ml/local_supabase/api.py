"""The API of the local stack: `@supabase/lite` in front of a Postgres that has the migrations.

It is an alpha tool, made for tests: docs/how-to/supabase.md says how it differs from a hosted project.
"""

import contextlib
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.keys import Keys
from spots_ml.local_supabase.node import find_node
from spots_ml.local_supabase.ports import LOOPBACK, require_free
from spots_ml.local_supabase.supervision import Ending, supervised

PACKAGES: Final = Path(__file__).resolve().parents[2] / ".node-supabase"
"""Where the Makefile installs what `package.json` names."""

_PROGRAM: Final = Path("node_modules", "@supabase", "lite", "dist", "cli", "index.js")
_DRIVER: Final = Path("node_modules", "postgres", "package.json")

_PORT_OPTION: Final = "--api-port"
_START_TIMEOUT_S: Final = 60

_CONFIG: Final = """\
[api]
port = {port}
schemas = ["public"]
max_rows = 1000
[db]
driver = "postgres"
url = "{database_url}"
[db.seed]
enabled = false
sql_paths = []
[auth]
enabled = true
jwt_secret = "env(SUPABASE_JWT_SECRET)"
publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"
secret_key = "env(SUPABASE_SECRET_KEY)"
[storage]
enabled = true
file_size_limit = "50MiB"
"""


@contextlib.contextmanager
def api_running(
    database_url: str,
    folder: Path,
    packages: Path = PACKAGES,
    *,
    keys: Keys,
    port: int,
    leftovers: Sequence[Path] = (),
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the API, and stop it afterwards; it stops as well when this process is killed.

    Tables that are made while it runs are not seen: apply the migrations first.

    Args:
        database_url: The database, as a superuser.
        folder: Where it keeps its configuration and the files of Storage.
        packages: The folder in which `node_modules` has `@supabase/lite` and `postgres`.
        keys: The keys it accepts.
        port: Where it listens, on 127.0.0.1.
        leftovers: Files and folders to be removed when this process has been killed.

    Yields:
        It, once it answers; it may end at any time, as an alpha tool does.

    Raises:
        LocalStackError: When Node or the packages are missing, the port is taken, or it does not start; the message has
            its log.
    """
    node, program = find_node(), packages.absolute() / _PROGRAM
    for needed in (program, packages.absolute() / _DRIVER):
        if not needed.exists():
            raise LocalStackError(f"{needed} is missing; `make {packages.name}/.ready` installs it")
    require_free(port, _PORT_OPTION)
    (folder / "supabase").mkdir(parents=True, exist_ok=True)
    (folder / "supabase" / "config.toml").write_text(
        _CONFIG.format(port=port, database_url=database_url.replace("postgresql://", "postgres://"))
    )
    log, url = folder / "api.log", api_url(port)
    with supervised(
        # --no-admin: without it a request that brings no key is served as the service role.
        [node, program, "start", "--no-admin"],
        ending=Ending(),
        cwd=folder,
        env=_environment(keys),
        log=log,
        leftovers=leftovers,
    ) as process:
        _wait(process, url, keys, log)
        yield process


def api_url(port: int) -> str:
    """Name the address of an API that listens on this machine.

    Args:
        port: Where it listens.

    Returns:
        Its address.
    """
    return f"http://{LOOPBACK}:{port}"


def _environment(keys: Keys) -> Mapping[str, str]:
    return {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "LITE_TELEMETRY": "0",
        "EXPERIMENTAL_STORAGE": "1",
        "SUPABASE_PUBLISHABLE_KEY": keys.publishable,
        "SUPABASE_SECRET_KEY": keys.secret,
        "SUPABASE_JWT_SECRET": keys.jwt_secret,
    }


def _wait(process: "subprocess.Popen[bytes]", url: str, keys: Keys, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    # A table, because this program finishes its own preparations only when it is asked for one.
    request = urllib.request.Request(f"{url}/rest/v1/served_models?limit=1", headers={"apikey": keys.secret})
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=2) as response:
                response.read()
        except OSError:
            time.sleep(0.02)
        else:
            # On a port that was taken meanwhile another one answers, and this one has ended or is about to.
            if process.poll() is None:
                return
    raise LocalStackError(f"the local API did not start: {keys.hidden_in(log.read_text()).strip()[-2000:]}")
