"""One thing that is wrong in a configuration file, and how it is written for people and editors."""

from __future__ import annotations

from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where a value stands: mapping keys and list positions from the top of the file."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Sorts by file and line. The message never repeats a value: any value may be a secret in a wrong place."""

    order: int
    """Rank of the file: config.yaml is 0, then the files of conf.d by name."""
    line: int
    file: str
    path: KeyPath
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        key = dotted(self.path)
        return f"{where}: {key}: {self.message}" if key else f"{where}: {self.message}"


def dotted(path: KeyPath) -> str:
    """`cameras.yard.push[0]`; characters that would break a line of output are escaped, and long keys are cut."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if part.isprintable() else part.encode("unicode_escape").decode("ascii")
            shown = shown if len(shown) <= _KEY_SHOWN_CHARS else shown[:_KEY_SHOWN_CHARS] + "..."
            text += f".{shown}" if text else shown
    return text


_KEY_SHOWN_CHARS = 80
"""An id may have 63 characters; a key beyond this is a mistake of quoting and would only hide the message."""
