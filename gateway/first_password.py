"""`python -m gateway.first_password CONFIG UID GID`: makes the admin's first password before the first start, and prints it.

The installer runs this as root, because the configuration may name credentials that only root and systemd can read, and
shows what it prints. What is written belongs to the service's user UID. Nothing is printed where a password exists, or
where `GATEWAY_ADMIN_PASSWORD` says one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gateway.config.load import load
from gateway.errors import ConfigError
from gateway.http.access import Access

PASSWORD_VARIABLE = "GATEWAY_ADMIN_PASSWORD"
"""As in `gateway.run`, which would bring everything else of the gateway along."""


def _become(uid: int, gid: int) -> None:
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main() -> int:
    """The exit code: 0 done, 1 failed."""
    try:
        config = load(Path(sys.argv[1]), os.environ)
        _become(int(sys.argv[2]), int(sys.argv[3]))
        access, generated = Access.open(config.data_dir, os.environ.get(PASSWORD_VARIABLE) or None)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    access.close()
    if generated is not None:
        print(generated)
    return 0


if __name__ == "__main__":
    sys.exit(main())
