"""What a reverse proxy in front of us may say about its clients: address, scheme, and who they are. Pure.

Nothing of it is believed of anybody else, and whoever comes through a proxy can prepend to `X-Forwarded-For` what he
likes: only the last address that is not a proxy of ours counts.
"""

from __future__ import annotations

import dataclasses
import ipaddress

from gateway.config.model import ProxyTrust
from gateway.http.calls import Headers
from gateway.http.messages import Request

MAX_USER_CHARS = 128
MAX_HOPS = 16


class TrustedProxies:
    """The proxies of a configuration."""

    def __init__(self, trust: ProxyTrust) -> None:
        self._networks = tuple(ipaddress.ip_network(address) for address in trust.addresses)
        self._user_header = trust.user_header.lower()

    def resolve(self, request: Request) -> Request:
        """The request as its real client sent it; unchanged if it comes from no proxy of ours."""
        if not self.includes(request.client):
            return request
        headers = request.headers
        return dataclasses.replace(
            request,
            client=self._client(request.client, headers.get("x-forwarded-for", "")),
            scheme=_scheme(headers.get("x-forwarded-proto", ""), request.scheme),
            user=self._user(headers.get(self._user_header, "")) if self._user_header else "",
        )

    def resolve_fields(self, peer: str, scheme: str, headers: Headers) -> tuple[str, str]:
        """Client and scheme as `resolve` finds them, for who has no `Request`."""
        if not self.includes(peer):
            return peer, scheme
        client = self._client(peer, ",".join(headers.get_all("x-forwarded-for")))
        return client, _scheme(",".join(headers.get_all("x-forwarded-proto")), scheme)

    def includes(self, address: str) -> bool:
        """Whether it is a proxy of ours."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def _client(self, peer: str, forwarded: str) -> str:
        """The last hop that is not ours; the peer itself if the header says nothing useful."""
        client = peer
        for hop in reversed(forwarded.split(",")[-MAX_HOPS:]):
            try:
                address = str(ipaddress.ip_address(_without_port(hop.strip())))
            except ValueError:
                return client
            client = address
            if not self.includes(address):
                return client
        return client

    @staticmethod
    def _user(value: str) -> str:
        """One name; several fields were joined with a comma, and then the client has sent one of them."""
        name = value.strip()
        return name if 0 < len(name) <= MAX_USER_CHARS and "," not in name else ""


def _scheme(forwarded: str, otherwise: str) -> str:
    scheme = forwarded.rpartition(",")[2].strip().lower()
    return scheme if scheme in ("http", "https") else otherwise


def _without_port(hop: str) -> str:
    """`192.0.2.1:4711` and `[2001:db8::1]:4711` as some proxies write them."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
