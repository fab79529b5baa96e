"""What an administrator may do to a virtual camera: set its clock, restart it. Pure; what happens then is passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.onvif.face.soap import TDS, Call, SoapFault
from gateway.simulator.onvif_extension import Operation

if TYPE_CHECKING:
    from gateway.onvif.face.face import OnvifRequest


class AdministrationFace:
    """Further operations of the device service. `set_clock` takes Unix seconds; `reboot` must return before it happens."""

    services: Mapping[str, str] = {}

    def __init__(self, set_clock: Callable[[float], None], reboot: Callable[[], None]) -> None:
        self._set_clock = set_clock
        self._reboot = reboot
        self.operations: Mapping[tuple[str, str], Operation] = {
            (TDS, "SetSystemDateAndTime"): self._set_system_date_and_time,
            (TDS, "SystemReboot"): self._system_reboot,
        }

    def _set_system_date_and_time(self, call: Call, _request: OnvifRequest) -> str:
        names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
        if call.text("DateTimeType") != "Manual":
            raise SoapFault("there is no NTP server", "InvalidArgVal", "NtpServerUndefined")
        try:
            moment = datetime(*(int(call.text(name) or "") for name in names), tzinfo=UTC)  # type: ignore[misc,arg-type]
        except ValueError as error:
            raise SoapFault("an invalid date or time", "InvalidArgVal", "InvalidDateTime") from error
        self._set_clock(moment.timestamp())
        return ""

    def _system_reboot(self, _call: Call, _request: OnvifRequest) -> str:
        self._reboot()
        return "<tds:Message>Rebooting now</tds:Message>"
