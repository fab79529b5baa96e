"""What a recorder built on onvif-zeep-async finds at HOST PORT USER (password on standard input), as one line of JSON."""

import asyncio
import datetime
import json
import sys

from onvif import ONVIFCamera

SETUP = {"StreamSetup": {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}}


async def main(host: str, port: str, user: str, password: str) -> dict[str, object]:
    camera = ONVIFCamera(host, int(port), user, password)
    try:
        await camera.update_xaddrs()
        device = await camera.create_devicemgmt_service()
        media = await camera.create_media_service()
        information = await device.GetDeviceInformation()
        profiles = await media.GetProfiles()
        tokens = [profile.token for profile in profiles]
        found: dict[str, object] = {
            "serial": information["SerialNumber"],
            "users": [one.Username for one in await device.GetUsers()],
            "hostname": (await device.GetHostname()).Name,
            "sources": [source.token for source in await media.GetVideoSources()],
            "names": [profile.Name for profile in profiles],
            "encodings": [p.VideoEncoderConfiguration and p.VideoEncoderConfiguration.Encoding for p in profiles],
            "streams": {token: (await media.GetStreamUri(SETUP | {"ProfileToken": token})).Uri for token in tokens},
            "options": (await media.GetVideoEncoderConfigurationOptions({"ProfileToken": tokens[0]})).H264 is not None,
            "snapshot": (await camera.get_snapshot(tokens[0]) or b"")[:3].hex(),
        }
        manager = await camera.create_pullpoint_manager(datetime.timedelta(seconds=60), lambda: None)
        pulled = await manager.get_service().PullMessages({"Timeout": datetime.timedelta(seconds=2), "MessageLimit": 10})
        found["events"] = [message.Topic._value_1 for message in pulled.NotificationMessage]
        await manager.shutdown()
        return found
    finally:
        await camera.close()


print(json.dumps(asyncio.run(main(*sys.argv[1:4], sys.stdin.readline().rstrip("\n")))))
