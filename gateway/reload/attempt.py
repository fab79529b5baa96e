"""What came of reading the configuration again: for the log, the API and the settings page. Free of secrets."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gateway.config.diff import ConfigDiff
from gateway.config.findings import Finding, dotted


class Trigger(enum.Enum):
    """Who asked."""

    START = "start"
    SIGNAL = "signal"
    FILES = "files"
    """A file was changed."""
    REQUEST = "request"
    """The settings page or the API."""
    ADOPTION = "adoption"


class Outcome(enum.Enum):
    """What happened."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    """The files say what they said before."""
    REFUSED = "refused"
    """Everything goes on as before."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One finding."""

    message: str
    file: str = ""
    line: int = 0
    key: str = ""

    @classmethod
    def of(cls, finding: Finding) -> Complaint:
        """The finding of a file."""
        return cls(finding.message, finding.file, finding.line, dotted(finding.path))

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.key, self.message) if part)


NOTHING = ConfigDiff()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One reading of the files. `at` is Unix seconds, `took_s` from the first look to the last change."""

    at: float
    trigger: Trigger
    outcome: Outcome
    change: ConfigDiff = NOTHING
    complaints: tuple[Complaint, ...] = ()
    took_s: float = 0.0
