"""Secrets: where they come from, and a wrapper that keeps them out of logs and tracebacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

MAX_FILE_BYTES = 4096
"""A password file holds one line; more is the wrong file."""

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts a service's credentials (systemd.exec(5)), readable by this service alone."""
CREDENTIALS_ID = "credentials"
"""The unit's `LoadCredential=credentials:/etc/camera-gateway/credentials`: systemd names a folder's files `ID_FILE`."""

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{credential:(?P<credential>[A-Za-z0-9_][A-Za-z0-9_.-]*)\}|\$\{"
)


class Secret:
    """A text that shows itself only to who asks with `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the moment of use."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace `${NAME}` by the environment's value and `${credential:NAME}` by what systemd hands over under that name;
    `$${` stands for a literal `${`. ValueError if one is not set.

    A value is used as it is: a `${` inside it means nothing.
    """

    def one(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        if match["credential"] is not None:
            return _credential(match["credential"], environ)
        name = match["name"]
        if name is None:
            raise ValueError('"${" must be followed by a variable name and "}"; write "$${" for the characters')
        if name not in environ:
            raise ValueError(f"environment variable {name} is not set")
        return environ[name]

    return _REFERENCE.sub(one, text)


def _credential(name: str, environ: Mapping[str, str]) -> str:
    folder = environ.get(CREDENTIALS, "")
    if not folder:
        raise ValueError(f"credential {name} is known to the service only, which systemd gives it (or set {CREDENTIALS})")
    paths = (Path(folder, name), Path(folder, f"{CREDENTIALS_ID}_{name}"))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ValueError(f"there is no credential {name}: write it to /etc/camera-gateway/{CREDENTIALS_ID}/{name} and restart")
    try:
        return read_file(path).reveal()
    except ValueError as error:
        raise ValueError(f"credential {name}: {error}") from None


def read_file(path: Path) -> Secret:
    """The one line of a password file, without its line end. ValueError says why it cannot be used."""
    try:
        if not path.exists():
            raise ValueError("the file does not exist (a relative path starts at the folder of config.yaml)")
        if not path.is_file():
            raise ValueError("is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except PermissionError:
        raise ValueError("the file may not be read by this user") from None
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"the file is larger than {MAX_FILE_BYTES} bytes; a password file holds one line")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        raise ValueError("the file is empty")
    if any(ord(character) < ord(" ") for character in line):
        raise ValueError("the file must hold one line")
    return Secret(line)
