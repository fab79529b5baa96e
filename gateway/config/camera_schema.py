"""What may be written about one camera in config.yaml and conf.d, as pydantic models in the shape of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator, ValidationInfo, model_validator

from gateway.camera_tls import CameraTrust
from gateway.config import addresses
from gateway.config.addresses import PushUrl
from gateway.config.fields import (
    ClientName,
    Flag,
    Key,
    Label,
    Password,
    PasswordFile,
    PictureName,
    Section,
    SourceText,
    TransportName,
    choice,
    null_is_no_list,
    one_password,
    read_existing_file,
    read_fingerprint,
    read_push_url,
    reader,
)
from gateway.config.model import (
    Push,
    RtspClient,
    SecondPublisher,
    StreamChoice,
    SubPolicy,
)
from gateway.config.secrets import Secret
from gateway.config.yaml_source import Scalar


class PublishSection(Section):
    key: Key
    second: Annotated[SecondPublisher, PlainValidator(choice(SecondPublisher))] = SecondPublisher.REFUSE


class PushEntry(Section):
    """A URL alone, or a mapping."""

    url: Annotated[PushUrl, PlainValidator(read_push_url)]
    key: Key | None = None
    name: Label | None = None
    stream: Annotated[StreamChoice, PlainValidator(choice(StreamChoice))] = StreamChoice.MAIN
    silent_audio: Flag = True
    enhanced: Flag = False
    verify: Flag = True
    ca_file: Annotated[Path, PlainValidator(read_existing_file)] | None = None
    fingerprint: Annotated[str, PlainValidator(reader(read_fingerprint))] | None = None

    @model_validator(mode="before")
    @classmethod
    def _url_alone(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Scalar):
            return value
        nameless(read_push_url(value, info))  # a finding about it belongs to the entry, which has no key "url"
        return {"url": value}

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.key is None:
            try:
                nameless(self.url)
            except ValueError as error:
                yield "url", str(error)
        elif not self.url.app and not self.url.name.reveal().partition("?")[0]:
            yield "url", "needs an application: rtmp://HOST/APPLICATION"
        trust = [key for key in ("ca_file", "fingerprint") if getattr(self, key) is not None]
        trust += [] if self.verify else ["verify"]
        for key in trust:
            if not self.url.tls:
                yield key, "belongs to an rtmps:// URL"
        for key in trust[1:]:
            yield key, f'"{trust[0]}" already says which certificate is good'

    def push(self) -> Push:
        """The target these lines mean."""
        url = self.url
        app, name = url.app, url.name
        if self.key is not None:
            # OBS's two fields: the URL is the server with its application, the key stands beside it.
            app, name = "/".join(part for part in (url.app, url.name.reveal()) if part), self.key
        return Push(
            url.host,
            url.port,
            app,
            name,
            tls=url.tls,
            username=url.username,
            password=url.password,
            stream=self.stream,
            name=self.name or "",
            silent_audio=self.silent_audio,
            enhanced=self.enhanced,
            verify=self.verify,
            ca_file=self.ca_file,
            fingerprint=self.fingerprint or "",
        )


def nameless(url: PushUrl) -> None:
    if not url.app or not url.name.reveal().partition("?")[0]:
        raise ValueError("needs an application and a stream name: rtmp://HOST/APPLICATION/NAME")


class CameraEntry(Section):
    name: Label | None = None
    group: Label | None = None
    enabled: Flag = True
    address: Annotated[str, PlainValidator(reader(addresses.device_address))] | None = None
    rtsp: SourceText | None = None
    sub: SourceText | None = None
    username: Label | None = None
    password: Password | None = None
    password_file: PasswordFile | None = None
    transport: TransportName | None = None
    client: ClientName | None = None
    verify: Flag = False
    ca_file: Annotated[Path, PlainValidator(read_existing_file)] | None = None
    fingerprint: Annotated[str, PlainValidator(reader(read_fingerprint))] | None = None
    sub_policy: Annotated[SubPolicy, PlainValidator(choice(SubPolicy))] = SubPolicy.ON_DEMAND
    audio: Flag = True
    h265: PictureName | None = None
    profile: Label | None = None
    sub_profile: Label | None = None
    events: Flag = True
    publish: PublishSection | None = None
    push: Annotated[tuple[PushEntry, ...], BeforeValidator(null_is_no_list)] = ()

    def _problems(self) -> Iterator[tuple[str, str]]:
        sources = [key for key in ("address", "rtsp", "publish") if getattr(self, key) is not None]
        if not sources:
            yield "", 'needs "address" (an ONVIF camera), "rtsp" (a stream URL) or "publish" (it sends to us)'
            return
        for extra in sources[1:]:
            yield extra, f'a camera has one source, and "{sources[0]}" is already given'
        yield from self._misplaced(sources[0])
        yield from one_password(self.password, self.password_file)
        yield from self._credential_problems()
        yield from self._push_problems()
        yield from self._trust_problems()

    def _trust_problems(self) -> Iterator[tuple[str, str]]:
        given = [key for key in ("ca_file", "fingerprint") if getattr(self, key) is not None]
        given += ["verify"] if self.verify else []
        plain = [url for url in (self.rtsp, self.sub) if url is not None and not url.url.lower().startswith("rtsps:")]
        for key in given:
            if plain or self.publish is not None:
                yield key, "belongs to a camera with rtsps:// URLs, or with an address that answers over https"
        for key in given[1:]:
            yield key, f'"{given[0]}" already says which certificate is good'
        if given and self.client is RtspClient.LIBAV:
            yield given[0], "is only looked at by the gateway's own RTSP client, and client is libav"

    @property
    def trust(self) -> CameraTrust:
        """Which certificate is good."""
        return CameraTrust(self.fingerprint or "", self.ca_file, self.verify)

    def _push_problems(self) -> Iterator[tuple[str, str]]:
        seen: set[tuple[str, int, str, Secret]] = set()
        for entry in self.push:
            push = entry.push()
            place = (push.host, push.port, push.app, push.key)
            if place in seen:
                yield "push", "two entries name the same place; a server takes one publisher per name"
            seen.add(place)
            if push.stream is StreamChoice.SUB and self.sub is None and self.address is None:
                yield "push", '"stream: sub" needs a camera with a sub stream'

    def _misplaced(self, source: str) -> Iterator[tuple[str, str]]:
        belongs = {
            "sub": ("rtsp",),
            "profile": ("address",),
            "sub_profile": ("address",),
            "username": ("address", "rtsp"),
            "password": ("address", "rtsp"),
            "password_file": ("address", "rtsp"),
            "transport": ("address", "rtsp"),
            "client": ("address", "rtsp"),
        }
        for key, homes in belongs.items():
            if getattr(self, key) is not None and source not in homes:
                yield key, f'belongs to a camera with "{homes[0]}", not with "{source}"'

    def _credential_problems(self) -> Iterator[tuple[str, str]]:
        secret = self.password if self.password is not None else self.password_file
        username = self.username
        for key, url in (("rtsp", self.rtsp), ("sub", self.sub)):
            if url is None or url.username is None:
                continue
            if username not in (None, url.username):
                yield key, "the URL has another user name than was given before"
            if secret is not None and url.password not in (None, secret):
                yield key, "the URL has another password than was given before"
            username = username or url.username
            secret = secret if secret is not None else url.password
        if secret is not None and username is None:
            yield "password" if self.password is not None else "password_file", 'needs "username" beside it'

    @property
    def login(self) -> tuple[str | None, Secret | None]:
        """User name and password, from the keys or from the URLs; they do not contradict each other."""
        urls = [url for url in (self.rtsp, self.sub) if url is not None]
        usernames = [self.username, *(url.username for url in urls)]
        passwords = [self.password, self.password_file, *(url.password for url in urls)]
        username = next((one for one in usernames if one is not None), None)
        return username, next((one for one in passwords if one is not None), None)
