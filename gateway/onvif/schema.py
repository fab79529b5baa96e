"""onvif-zeep's WSDL files through zeep: writes schema-valid requests for the Device and Media services.

Loaded on first use, once for the whole process (0.15 s and 22 MB with zeep itself [x86]); a camera costs only a
service proxy, about 15 kB. Of onvif-zeep nothing but the files is used: its `ONVIFCamera` does network I/O in its
constructor, leaves a PullPoint subscription behind, has no timeouts and parses the files anew for every camera.

Replies are *not* decoded by zeep: it drops what has the wrong namespace and fails where a camera leaves something out.
They go through `gateway.onvif.reader`, as the hand-written Media2 requests do. Worker threads.
"""

from __future__ import annotations

import enum
import importlib.metadata
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.errors import ProtocolError
from gateway.onvif.reader import Node

Post = Callable[[str, str, str], Node]
"""Sends (address, SOAP action, body XML) and returns the element in the reply's body."""

_DISTRIBUTION = "onvif-zeep"
_lock = threading.Lock()
_documents: dict[Wsdl, Any] = {}


class Wsdl(enum.Enum):
    """The services used, by file."""

    DEVICE = "devicemgmt.wsdl"
    MEDIA = "media.wsdl"


class Service:
    """One service of one camera, called by operation name."""

    def __init__(self, wsdl: Wsdl, address: str, post: Post) -> None:
        document = _document(wsdl)
        import zeep  # here and below: 40 MB that a gateway with plain RTSP cameras never needs

        make: Any = zeep.Client  # untyped
        client = make(document, transport=_Poster(post), settings=_settings())
        self._proxy = client.create_service(next(iter(document.bindings)), address)

    def call(self, operation: str, **arguments: object) -> Node:
        """Call `operation`; raises what the session raises."""
        node: Node = getattr(self._proxy, operation)(**arguments)
        return node


class _Poster:
    """What zeep takes for a transport: hands the written request to the session, and the answer back as it is."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Node:
        from lxml import etree  # type: ignore[import-untyped]  # ships no types

        body = "".join(etree.tostring(child, encoding="unicode") for child in envelope[-1])
        return self._post(address, headers.get("SOAPAction", "").strip('"'), body)

    def load(self, url: str) -> bytes:
        """Read a WSDL or schema file. Never from the network: a gateway has to work without the Internet."""
        if "://" in url and not url.startswith("file://"):
            raise OSError(f"{url} is not a local file")
        return Path(url.removeprefix("file://")).read_bytes()


def _document(wsdl: Wsdl) -> Any:
    with _lock:
        if wsdl not in _documents:
            from zeep import wsdl as zeep_wsdl

            path = wsdl_directory() / wsdl.value
            make: Any = zeep_wsdl.Document  # annotated with the transport's class where an instance is meant
            _documents[wsdl] = make(str(path), _Poster(_never), settings=_settings())
        return _documents[wsdl]


def _settings() -> Any:
    import zeep

    return zeep.Settings(strict=False, raw_response=True)


def _never(address: str, action: str, body: str) -> Node:
    raise OSError(f"{address} asked while loading {action}{body}")


def wsdl_directory() -> Path:
    """Where onvif-zeep's WSDL files are; raises ProtocolError if they are not installed.

    They are data files beside the packages, in a place that depends on the installer (python-onvif-zeep #13, #109).
    """
    candidates = [Path(sysconfig.get_path("purelib")) / "wsdl"]
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or []
        candidates[:0] = [Path(str(file.locate())).resolve().parent for file in files if file.name == Wsdl.DEVICE.value]
    except importlib.metadata.PackageNotFoundError:
        pass  # the files may be there all the same, put by a system package
    for candidate in candidates:
        if (candidate / Wsdl.DEVICE.value).is_file():
            return candidate
    raise ProtocolError(f"the WSDL files of {_DISTRIBUTION} are not installed (looked in {candidates[0]})")
