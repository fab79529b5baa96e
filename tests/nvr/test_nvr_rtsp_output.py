"""Which stream stands at which RTSP path, also when the configuration changes underneath its viewers."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config.model import HostPort
from gateway.media.stream import Stream
from gateway.nvr.rtsp_output import RtspOutput
from gateway.rtsp.mount import Mount


class Viewer:
    """A seat that remembers that it was taken away."""

    def __init__(self) -> None:
        self.cut = False

    def abort(self) -> None:
        self.cut = True


def output(streams: dict[str, Stream], listen: HostPort | None = None) -> RtspOutput:
    return RtspOutput(listen, streams.get, lambda _client: None)


def mounted(made: RtspOutput, path: str) -> Mount:
    mount = made.mount(path)
    assert mount is not None
    return mount


def test_a_stream_has_one_mount_and_other_paths_none():
    made = output({"yard": Stream("yard"), "yard.sub": Stream("yard.sub")})
    assert mounted(made, "/live/yard") is mounted(made, "/live/yard")
    assert mounted(made, "/live/yard.sub").stream.id == "yard.sub"
    for path in ("/", "/live/", "/live/gate", "/yard", "/live/yard/x", "yard"):
        assert made.mount(path) is None


def test_viewers_of_a_removed_camera_are_cut_and_those_of_others_are_not():
    streams = {"yard": Stream("yard"), "gate": Stream("gate")}
    made = output(streams)
    first, other = Viewer(), Viewer()
    mounted(made, "/live/yard").take(first)
    mounted(made, "/live/gate").take(other)
    old = streams.pop("yard")
    made.dismiss(old)
    assert (first.cut, other.cut) == (True, False)
    assert made.mount("/live/yard") is None
    made.dismiss(old)


def test_a_changed_camera_comes_back_at_its_path():
    streams = {"yard": Stream("yard")}
    made = output(streams)
    before = mounted(made, "/live/yard")
    old, streams["yard"] = streams["yard"], Stream("yard")
    after = mounted(made, "/live/yard")
    assert after is not before
    viewer = Viewer()
    after.take(viewer)
    made.dismiss(old)
    assert not viewer.cut


@pytest.mark.parametrize("listen", [None, HostPort("127.0.0.1", 0)])
def test_it_listens_only_where_it_is_told_to(listen: HostPort | None):
    async def main() -> None:
        made = output({}, listen)
        await made.start()
        assert (made.port is not None) is (listen is not None)
        await made.stop()
        assert made.port is None

    asyncio.run(main())
