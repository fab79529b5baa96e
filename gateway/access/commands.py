"""`gateway passwd` and `gateway token`: passwords, hashes for config.yaml, and API tokens. Called by `gateway.cli` only.

They work on the files in `data_dir`; a gateway that runs takes up the change within seconds.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.access.grants import Right
from gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
    from gateway.access.keyring import Keyring
    from gateway.config.model import Config

OK, WRONG_INPUT = 0, 2
BUILT_IN = "admin"


def add_passwd_arguments(parser: argparse.ArgumentParser) -> None:
    """What `gateway passwd` takes, besides the configuration."""
    parser.add_argument("user", nargs="?", default=BUILT_IN, help="default: admin, whose password is changed at once")
    parser.add_argument("--hash", action="store_true", help="only print the hash, for password_hash in config.yaml")


def add_token_arguments(parser: argparse.ArgumentParser) -> None:
    """What `gateway token` takes, besides the configuration."""
    parser.add_argument("action", choices=("create", "list", "revoke"))
    parser.add_argument("name", nargs="?", default="", help="of the new token; id or name of the one to revoke")
    scopes = [right.value for right in Right]
    parser.add_argument("--scope", action="append", default=[], choices=scopes, help="what it opens (default: view)")
    parser.add_argument("--camera", action="append", default=[], metavar="ID", help="only this camera (may be repeated)")
    parser.add_argument("--lifetime", metavar="DURATION", help="such as 30d; default: until it is revoked")


def passwd(arguments: argparse.Namespace, load: Callable[[], Config]) -> int:
    """Set the admin's password, or print the hash of somebody's: that also while config.yaml has mistakes."""
    from gateway.http.access import Access
    from gateway.http.secretfiles import hashed

    user: str = arguments.user
    password = _asked(user)
    if password is None:
        return WRONG_INPUT
    try:
        if arguments.hash or user != BUILT_IN:
            text = hashed(password)
            print(text if arguments.hash else _snippet(user, text, load))
            return OK
        access, _ = Access.open(load().data_dir, password)
        access.set_password(password)
    except ValueError as error:
        print(f"gateway: {error}; nothing was changed", file=sys.stderr)
        return WRONG_INPUT
    print("the password of admin was changed; everybody has to log in again")
    return OK


def token(arguments: argparse.Namespace, config: Config) -> int:
    """Create, list or revoke API tokens."""
    from gateway.access.keyring import Keyring

    keyring = Keyring.of(config.data_dir)
    if arguments.action == "list":
        return _list(keyring, as_json=arguments.json)
    if not arguments.name:
        raise GatewayError(f"say which: gateway token {arguments.action} NAME")
    if arguments.action == "revoke":
        revoked = keyring.revoke_token(arguments.name)
        if revoked is None:
            raise GatewayError(f"there is no token {arguments.name}")
        print(f"{revoked.name} ({revoked.id}) opens nothing any more")
        return OK
    return _create(keyring, arguments, config)


def _create(keyring: Keyring, arguments: argparse.Namespace, config: Config) -> int:
    from gateway.access.tokens import TokenWish, to_json
    from gateway.config import units

    known = {camera.id for camera in config.cameras}
    unknown = next((camera for camera in arguments.camera if camera not in known), None)
    if unknown is not None:
        raise GatewayError(f"{arguments.config} has no camera {unknown}")
    try:
        lifetime = arguments.lifetime
        wish = TokenWish(
            arguments.name,
            tuple(dict.fromkeys(Right(scope) for scope in arguments.scope or ["view"])),
            tuple(arguments.camera) or None,
            time.time() + units.seconds(lifetime) if lifetime is not None else None,
        )
        made, text = keyring.create_token(wish, BUILT_IN)
    except ValueError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return WRONG_INPUT
    if arguments.json:
        print(json.dumps(to_json(made) | {"token": text}))
    else:
        print(text)
        print(f"shown this once; revoke it with: gateway token revoke {made.id}", file=sys.stderr)
    return OK


def _list(keyring: Keyring, *, as_json: bool) -> int:
    from gateway.access.tokens import to_json

    if as_json:
        print(json.dumps([to_json(one) for one in keyring.tokens]))
        return OK
    for one in keyring.tokens:
        until = "for good" if one.expires is None else time.strftime("until %Y-%m-%d %H:%M", time.localtime(one.expires))
        cameras = "all cameras" if one.cameras is None else ", ".join(one.cameras)
        print(f"{one.id}  {one.name}: {', '.join(scope.value for scope in one.scopes)}; {cameras}; {until}")
    if not keyring.tokens:
        print("there are no tokens")
    return OK


def _asked(user: str) -> str | None:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"new password of {user}: ")
    if password != getpass.getpass("once more: "):
        print("gateway: the two did not match; nothing was changed", file=sys.stderr)
        return None
    return password


def _snippet(user: str, text: str, load: Callable[[], Config]) -> str:
    """What goes into config.yaml: the file is the user's own, with his comments, and is not rewritten."""
    try:
        known = any(one.name == user for one in load().users)
    except ConfigError:
        known = False
    if known:
        return f'put this line under users.{user} in config.yaml, then reload the gateway:\n    password_hash: "{text}"'
    return (
        f"put these lines into config.yaml, then reload the gateway:\n"
        f'users:\n  {user}:\n    password_hash: "{text}"\n    role: viewer   # or operator, admin'
    )
