"""What is legal in a configuration and still does harm: said by `gateway check` and on the settings page, never refused.

Reads modes of files and the addresses of this machine when called; any thread.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gateway.config.load import Reading
from gateway.config.yaml_source import Scalar, Value
from gateway.http.addresses import IPAddress, box_names

_SECRET_KEYS = frozenset({"password", "key", "token"})


def _own_addresses() -> Iterable[IPAddress]:
    return box_names().addresses


def harms(path: Path, reading: Reading, addresses: Callable[[], Iterable[IPAddress]] = _own_addresses) -> list[str]:
    """Complete sentences, the worst first; empty for a reading that was refused."""
    if reading.config is None:
        return []
    return [*_open_to_all(reading, addresses), *_in_the_clear(reading), *_readable(path, reading)]


def _open_to_all(reading: Reading, addresses: Callable[[], Iterable[IPAddress]]) -> Iterator[str]:
    config = reading.config
    if config is None or not config.auth.anonymous_viewing:
        return
    public = next((str(address) for address in addresses() if address.is_global), None)
    if public is not None:
        yield f"auth.anonymous_viewing: this machine has the public address {public}: everybody on the internet may look"


def _in_the_clear(reading: Reading) -> Iterator[str]:
    config = reading.config
    if config is None:
        return
    if config.listen.https is None:
        yield "listen.https: is off: the admin's password and all pictures cross the network unencrypted"
    if config.tls.hsts_s and config.tls.certificate is None:
        yield "tls.hsts: with the certificate the box makes itself browsers lock out whoever has not installed gateway-ca.crt"


def _readable(path: Path, reading: Reading) -> Iterator[str]:
    for name, document in reading.documents.items():
        if _has_secret(document.root) and _everybody_reads(path.parent / name):
            yield f"{name}: holds a password and may be read by every user of this machine: chmod o-r {path.parent / name}"
    for file in sorted(reading.named):
        if _holds_secret(file) and _everybody_reads(file):
            yield f"{file.name}: holds a secret and may be read by every user of this machine: chmod o-r {file}"


def _holds_secret(file: Path) -> bool:
    """A file that is named is a password, a key or a certificate; the last is for everybody."""
    try:
        text = file.read_bytes()[:65536]
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE-----" not in text or b"PRIVATE KEY-----" in text


def _has_secret(value: Value) -> bool:
    """Something that is written out; a reference to the environment is none."""
    if isinstance(value, dict):
        return any(_is_secret(key, below) or _has_secret(below) for key, below in value.items())
    return isinstance(value, list) and any(_has_secret(one) for one in value)


def _is_secret(key: str, value: Value) -> bool:
    return key in _SECRET_KEYS and isinstance(value, Scalar) and bool(value.text) and not value.text.startswith("${")


def _everybody_reads(file: Path) -> bool:
    try:
        if not file.stat().st_mode & stat.S_IROTH:
            return False
        # a folder that others may not enter protects what is in it
        return all(folder.stat().st_mode & stat.S_IXOTH for folder in file.resolve().parents)
    except OSError:
        return False
