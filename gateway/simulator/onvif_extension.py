"""A further service of a virtual camera (PTZ, events, administration), as the ONVIF face takes it in. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.onvif.face.face import OnvifRequest
    from gateway.onvif.face.soap import Call

Operation = Callable[["Call", "OnvifRequest"], str]
"""Answers a call with the content of the response element, or raises SoapFault."""


class Extension(Protocol):
    """What it adds to the face."""

    @property
    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """By namespace and operation."""

    @property
    def services(self) -> Mapping[str, str]:
        """Paths of new services by namespace."""
