"""The device service (ver10): who the device is, what it can do, what time it has. Pure.

Everything here reads; a device of ours is set up in its own configuration and not over ONVIF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from gateway.onvif.face.face import OnvifRequest, Service
from gateway.onvif.face.identity import DeviceIdentity
from gateway.onvif.face.soap import TDS, Call, SoapFault

DEVICE_PATH = "/onvif/device_service"
_PRE_AUTH = frozenset(
    {
        "GetSystemDateAndTime",
        "GetCapabilities",
        "GetServices",
        "GetServiceCapabilities",
        "GetHostname",
        "GetEndpointReference",
        "GetWsdlUrl",
    }
)
_CAPABILITIES = (
    '<tds:Capabilities><tds:Network NTP="0"/><tds:Security HttpDigest="true" UsernameToken="true"/>'
    '<tds:System DiscoveryBye="true"/></tds:Capabilities>'
)
_NETWORK = (
    "<tt:Network><tt:IPFilter>false</tt:IPFilter><tt:ZeroConfiguration>false</tt:ZeroConfiguration>"
    "<tt:IPVersion6>false</tt:IPVersion6><tt:DynDNS>false</tt:DynDNS></tt:Network>"
)
_SYSTEM = (
    "<tt:System><tt:DiscoveryResolve>true</tt:DiscoveryResolve><tt:DiscoveryBye>true</tt:DiscoveryBye>"
    "<tt:RemoteDiscovery>false</tt:RemoteDiscovery><tt:SystemBackup>false</tt:SystemBackup>"
    "<tt:SystemLogging>false</tt:SystemLogging><tt:FirmwareUpgrade>false</tt:FirmwareUpgrade>"
    "<tt:SupportedVersions><tt:Major>2</tt:Major><tt:Minor>40</tt:Minor></tt:SupportedVersions></tt:System>"
)
_CATEGORIES = {"All", "Analytics", "Device", "Events", "Imaging", "Media", "PTZ"}


def device_service(
    identity: DeviceIdentity,
    others: Sequence[Service],
    *,
    clock: Callable[[], float],
    users: Iterable[str] = (),
) -> Service:
    """The device service of a device that has `others` besides. `clock` is the device's own; `users` are its logins."""
    return _Device(identity, others, clock, tuple(users)).service


class _Device:
    def __init__(
        self, identity: DeviceIdentity, others: Sequence[Service], clock: Callable[[], float], users: tuple[str, ...]
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._users = users
        own = Service(
            TDS,
            DEVICE_PATH,
            {"GetServiceCapabilities": _own_capabilities},
            capability=("Device", _NETWORK + _SYSTEM),
            pre_auth=_PRE_AUTH,
        )
        self._services = (own, *others)
        self.service = replace(
            own,
            operations={
                "GetSystemDateAndTime": self._date_and_time,
                "GetDeviceInformation": self._information,
                "GetCapabilities": self._capabilities,
                "GetServices": self._list,
                "GetServiceCapabilities": _own_capabilities,
                "GetScopes": self._scopes,
                "GetHostname": self._hostname,
                "GetNetworkInterfaces": self._network_interfaces,
                "GetNetworkProtocols": self._network_protocols,
                "GetNetworkDefaultGateway": lambda _call, _request: "<tds:NetworkGateway/>",
                "GetDNS": lambda _call, _request: _from_dhcp("DNSInformation"),
                "GetNTP": lambda _call, _request: _from_dhcp("NTPInformation"),
                "GetDiscoveryMode": lambda _call, _request: "<tds:DiscoveryMode>Discoverable</tds:DiscoveryMode>",
                "GetUsers": self._list_users,
                "GetEndpointReference": lambda _call, _request: f"<tds:GUID>{self._identity.endpoint}</tds:GUID>",
                "GetWsdlUrl": lambda _call, _request: "<tds:WsdlUrl>http://www.onvif.org/</tds:WsdlUrl>",
                "GetRelayOutputs": lambda _call, _request: "",
            },
        )

    def _date_and_time(self, _call: Call, _request: OnvifRequest) -> str:
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        moment = (
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        )
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone>"
            f"<tt:UTCDateTime>{moment}</tt:UTCDateTime><tt:LocalDateTime>{moment}</tt:LocalDateTime>"
            "</tds:SystemDateAndTime>"
        )

    def _information(self, _call: Call, _request: OnvifRequest) -> str:
        who = self._identity
        return (
            f"<tds:Manufacturer>{escape(who.manufacturer)}</tds:Manufacturer><tds:Model>{escape(who.model)}</tds:Model>"
            f"<tds:FirmwareVersion>{escape(who.firmware)}</tds:FirmwareVersion>"
            f"<tds:SerialNumber>{escape(who.serial)}</tds:SerialNumber><tds:HardwareId>{escape(who.hardware)}</tds:HardwareId>"
        )

    def _capabilities(self, call: Call, request: OnvifRequest) -> str:
        wanted = set(call.texts("Category")) or {"All"}
        if not wanted <= _CATEGORIES:
            raise SoapFault("the requested category is not supported", "ActionNotSupported", "NoSuchService")
        # onvif.xsd wants Device, Events, Media in this order
        told = sorted(
            (service.capability[0], service.capability[1], service.path) for service in self._services if service.capability
        )
        return "<tds:Capabilities>{}</tds:Capabilities>".format(
            "".join(
                f"<tt:{name}><tt:XAddr>{request.url(path)}</tt:XAddr>{more}</tt:{name}>"
                for name, more, path in told
                if wanted & {"All", name}
            )
        )

    def _list(self, call: Call, request: OnvifRequest) -> str:
        with_capabilities = call.text("IncludeCapability") in ("true", "1")

        def capabilities(service: Service) -> str:
            tell = service.operations.get("GetServiceCapabilities")
            content = tell(call, request) if tell is not None and with_capabilities else ""
            return f"<tds:Capabilities>{content}</tds:Capabilities>" if content else ""

        return "".join(
            f"<tds:Service><tds:Namespace>{service.namespace}</tds:Namespace>"
            f"<tds:XAddr>{request.url(service.path)}</tds:XAddr>{capabilities(service)}<tds:Version><tt:Major>{service.version[0]}</tt:Major>"
            f"<tt:Minor>{service.version[1]}</tt:Minor></tds:Version></tds:Service>"
            for service in self._services
            if service.listed
        )

    def _scopes(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(
            f"<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{scope}</tt:ScopeItem></tds:Scopes>"
            for scope in self._identity.scopes
        )

    def _hostname(self, _call: Call, _request: OnvifRequest) -> str:
        return (
            "<tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP>"
            f"<tt:Name>{self._identity.hostname}</tt:Name></tds:HostnameInformation>"
        )

    def _network_interfaces(self, _call: Call, request: OnvifRequest) -> str:
        """One Ethernet interface with the address the client reached us by."""
        manual = (
            f"<tt:Manual><tt:Address>{escape(request.host)}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual>"
            if request.host.replace(".", "").isdecimal()
            else ""
        )
        return (
            '<tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled>'
            f"<tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>{self._identity.mac}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info>"
            f"<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config>{manual}<tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4>"
            "</tds:NetworkInterfaces>"
        )

    def _network_protocols(self, _call: Call, request: OnvifRequest) -> str:
        return (
            f"<tds:NetworkProtocols><tt:Name>HTTP</tt:Name><tt:Enabled>true</tt:Enabled>"
            f"<tt:Port>{request.port}</tt:Port></tds:NetworkProtocols>"
        )

    def _list_users(self, _call: Call, _request: OnvifRequest) -> str:
        return "".join(
            f"<tds:User><tt:Username>{escape(name)}</tt:Username><tt:UserLevel>User</tt:UserLevel></tds:User>"
            for name in self._users
        )


def _own_capabilities(_call: Call, _request: OnvifRequest) -> str:
    return _CAPABILITIES


def _from_dhcp(element: str) -> str:
    return f"<tds:{element}><tt:FromDHCP>false</tt:FromDHCP></tds:{element}>"
