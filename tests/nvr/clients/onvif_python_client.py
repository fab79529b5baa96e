"""What a recorder built on onvif-python finds at HOST PORT USER (password on standard input), as one line of JSON.

A fourth argument, `http-digest`, makes it log in as HTTP does instead of with a WS-UsernameToken.
"""

import json
import sys

from onvif import ONVIFClient

host, port, user, *more = sys.argv[1:]
client = ONVIFClient(host, int(port), user, sys.stdin.readline().rstrip("\n"), http_digest="http-digest" in more)
device, media1, media2 = client.devicemgmt(), client.media(), client.media2()
profiles = media2.GetProfiles(Type=["All"])
print(
    json.dumps(
        {
            "serial": device.GetDeviceInformation().SerialNumber,
            "pull_points": device.GetCapabilities(Category="All").Events.WSPullPointSupport,
            "names": [profile.Name for profile in profiles],
            "encodings": [profile.Configurations.VideoEncoder.Encoding for profile in profiles],
            "streams": {one.token: media2.GetStreamUri(Protocol="RTSP", ProfileToken=one.token) for one in profiles},
            "options": [option.Encoding for option in media2.GetVideoEncoderConfigurationOptions()],
            "sounds": [one.Encoding for one in media2.GetAudioEncoderConfigurations()],
            "microphones": [source.token for source in media1.GetAudioSources()],
            "most_profiles": media2.GetServiceCapabilities().ProfileCapabilities.MaximumNumberOfProfiles,
        }
    )
)
