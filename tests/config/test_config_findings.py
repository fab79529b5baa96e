"""Every wrong configuration has its one exact line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Findings = Callable[[str], list[str]]

EMPTY = 'is empty: give a value or remove the line (a value that starts with "#" needs quotes)'
YARD = "cameras:\n  yard:\n    rtsp: rtsp://192.168.1.2/live\n"
BAD_ID = "an id is at most 63 of a-z, 0-9 and dashes, and starts with a letter or digit"

USERS = "users:\n  anna:\n"
HASH = f"scrypt:32768:8:1$salt${'0' * 128}"

WRONG = {
    "misspelt camera key": (
        "cameras:\n  yard:\n    rtps: rtsp://192.168.1.2/live\n",
        '3: cameras.yard.rtps: unknown key, did you mean "rtsp"?',
    ),
    "certificate of a camera without TLS": (
        YARD + "    verify: true\n",
        "4: cameras.yard.verify: belongs to a camera with rtsps:// URLs, or with an address that answers over https",
    ),
    "certificate that libavformat would not look at": (
        "cameras:\n  yard:\n    rtsp: rtsps://192.168.1.2/live\n    verify: true\n    client: libav\n",
        "4: cameras.yard.verify: is only looked at by the gateway's own RTSP client, and client is libav",
    ),
    "two answers to which certificate is good": (
        f"cameras:\n  yard:\n    rtsp: rtsps://192.168.1.2/live\n    fingerprint: {'ab' * 32}\n    verify: true\n",
        '5: cameras.yard.verify: "fingerprint" already says which certificate is good',
    ),
    "misspelt section": ("lisen:\n  rtmp: off\n", '1: lisen: unknown key, did you mean "listen"?'),
    "dash for underscore": (
        YARD + "    password-file: x\n",
        '4: cameras.yard.password-file: unknown key, did you mean "password_file"?',
    ),
    "key of nothing": (
        "auth:\n  guests: true\n",
        "2: auth.guests: unknown key, known here are anonymous_viewing, session_idle, session_lifetime, proxy",
    ),
    "key in a list item": (
        "discovery:\n  credentials:\n    - username: a\n      pasword: b\n",
        '4: discovery.credentials[0].pasword: unknown key, did you mean "password"?',
    ),
    "id set twice over": (
        YARD + "    id: other\n",
        "4: cameras.yard.id: unknown key, known here are name, group, enabled, address, rtsp, sub, username, password, "
        "password_file, transport, client, verify, ca_file, fingerprint, sub_policy, audio, h265, profile, sub_profile, "
        "events, publish, push",
    ),
    "a password where its hash belongs": (
        f'{USERS}    password_hash: "hunter2"\n    role: viewer\n',
        "3: users.anna.password_hash: must be a hash as `gateway passwd --hash` prints it, not the password itself",
    ),
    "a hash that would take all memory to check": (
        f'{USERS}    password_hash: "scrypt:1048576:8:1$salt${"0" * 128}"\n    role: viewer\n',
        "3: users.anna.password_hash: takes more than 64 MB to check: make it with `gateway passwd --hash`",
    ),
    "a hash that scrypt does not know": (
        f'{USERS}    password_hash: "scrypt:1000:8:1$salt${"0" * 128}"\n    role: viewer\n',
        "3: users.anna.password_hash: must be a hash as `gateway passwd --hash` prints it",
    ),
    "a user without a role": (f'{USERS}    password_hash: "{HASH}"\n', "2: users.anna.role: is missing"),
    "a role there is not": (
        f'{USERS}    password_hash: "{HASH}"\n    role: boss\n',
        "4: users.anna.role: must be admin, operator or viewer",
    ),
    "a user of a camera that is not there": (
        f'{USERS}    password_hash: "{HASH}"\n    role: viewer\n    cameras: [yrd]\n{YARD}',
        '5: users.anna.cameras[0]: there is no such camera, did you mean "yard"?',
    ),
    "a user of a group that is not there": (
        f'{USERS}    password_hash: "{HASH}"\n    role: viewer\n    groups: ["Outsid"]\n{YARD}    group: Outside\n',
        '5: users.anna.groups[0]: no camera is in this group, did you mean "Outside"?',
    ),
    "a user of no camera": (
        f'{USERS}    password_hash: "{HASH}"\n    role: viewer\n    cameras: []\n',
        "5: users.anna.cameras: names no camera: remove the line if the user may see all cameras",
    ),
    "an admin who shall see less": (
        f'{USERS}    password_hash: "{HASH}"\n    role: admin\n    cameras: [yard]\n{YARD}',
        "5: users.anna.cameras: an admin sees all cameras: remove the line, or give another role",
    ),
    "the admin among the users": (
        f'users:\n  admin:\n    password_hash: "{HASH}"\n    role: admin\n',
        '2: users.admin: is the built-in admin, whose password is set with "gateway passwd": take another name',
    ),
    "a user with a name of the gateway's own": (
        f'users:\n  viewer:\n    password_hash: "{HASH}"\n    role: viewer\n',
        "2: users.viewer: is a name the gateway uses itself: take another one",
    ),
    "a proxy without an address": ("auth:\n  proxy:\n    addresses: []\n", "3: auth.proxy.addresses: names no proxy"),
    "a proxy at no network": (
        "auth:\n  proxy:\n    addresses: [10.0.0.1/8]\n",
        "3: auth.proxy.addresses[0]: must be an address or a network, such as 127.0.0.1 or 10.0.0.0/24",
    ),
    "a user header that means something else": (
        "auth:\n  proxy:\n    addresses: [127.0.0.1]\n    user_header: Cookie\n",
        "4: auth.proxy.user_header: has another meaning: take a name of its own, such as X-Forwarded-User",
    ),
    "a session of seconds": ("auth:\n  session_idle: 1s\n", "2: auth.session_idle: must be between 5m and 400d"),
    "recorders without a login": (
        "listen:\n  rtsp: 0.0.0.0:8554\nonvif:\n  enabled: true\n",
        "3: onvif: needs a username and a password of its own, with which recorders log in",
    ),
    "recorders with half a login": (
        "onvif:\n  username: nvr\n",
        "1: onvif: username and password belong together: give both",
    ),
    "recorders without streams": (
        "onvif:\n  enabled: true\n  username: nvr\n  password: x\n",
        '1: onvif: needs listen.rtsp, because its streams are RTSP: set it to "0.0.0.0:8554"',
    ),
    "recorders on a port that is taken": (
        "listen:\n  rtsp: 0.0.0.0:8554\nonvif:\n  enabled: true\n  username: nvr\n  password: x\n  listen: 0.0.0.0:8080\n",
        "3: onvif: listens on the same address and port as listen.http",
    ),
    "RTSP on a port that is taken": (
        "listen:\n  rtsp: 0.0.0.0:1935\n",
        "2: listen.rtsp: uses the same address and port as listen.rtmp",
    ),
    "same key twice": (
        YARD + "    rtsp: rtsp://192.168.1.3/live\n",
        "4: cameras.yard.rtsp: given twice, first on line 3",
    ),
    "same camera twice": (YARD + "  yard:\n    address: a\n", "4: cameras.yard: given twice, first on line 2"),
    "duration without unit": ("hls:\n  window: 12\n", "2: hls.window: needs a unit, such as 200ms, 2s or 1m"),
    "duration with an odd unit": (
        "hls:\n  window: 12 parsecs\n",
        "2: hls.window: has an unknown unit: use ms, s, m, h or d",
    ),
    "duration that is none": (
        "hls:\n  window: soon\n",
        "2: hls.window: must be a number with its unit, such as 200ms, 2s, 1m or 12h",
    ),
    "negative duration": (
        "hls:\n  window: -12s\n",
        "2: hls.window: must be a number with its unit, such as 200ms, 2s, 1m or 12h",
    ),
    "read timeout out of range": ("rtsp:\n  read_timeout: 1m\n", "2: rtsp.read_timeout: must be between 2s and 30s"),
    "part out of range": ("hls:\n  part: 20ms\n", "2: hls.part: must be between 100ms and 1s"),
    "segment of one part": ("hls:\n  part: 1s\n  segment: 1s\n", "3: hls.segment: must be at least two parts long, 2s"),
    "window of two segments": ("hls:\n  segment: 5s\n", "1: hls.window: must hold at least 3 segments, 15s"),
    "port without address": (
        "listen:\n  rtmp: 1935\n",
        '2: listen.rtmp: must be "address:port" in quotes, such as "0.0.0.0:8443" or "[::]:8443", or off',
    ),
    "port beyond 65535": ('listen:\n  rtmp: "0.0.0.0:70000"\n', "2: listen.rtmp: a port is at most 65535"),
    "one port for two": (
        'listen:\n  rtmp: "0.0.0.0:8080"\n',
        "2: listen.rtmp: uses the same address and port as listen.http",
    ),
    "no wall left": (
        "listen:\n  http: off\n  https: off\n",
        "1: listen: https and http are both off, so there would be no wall: leave one of them on",
    ),
    "unknown transport": (YARD + "    transport: quic\n", "4: cameras.yard.transport: must be tcp, udp or auto"),
    "unknown policy": (YARD + "    sub_policy: never\n", "4: cameras.yard.sub_policy: must be on-demand or always"),
    "flag that is none": (YARD + "    audio: maybe\n", "4: cameras.yard.audio: must be true or false"),
    "password on": (
        YARD + "    username: a\n    password: on\n",
        "5: cameras.yard.password: YAML reads this word as yes or no: put it in quotes",
    ),
    "password that starts with a hash": (
        YARD + "    username: a\n    password: #secret\n",
        f"5: cameras.yard.password: {EMPTY}",
    ),
    "password that starts with a star": (
        YARD + "    username: a\n    password: *topsecret\n",
        '5: a value that starts with "*" must be in quotes',
    ),
    "password that starts with an ampersand": (
        YARD + "    username: a\n    password: &a$b\n",
        '5: a value that starts with "&" must be in quotes',
    ),
    "password that starts with an exclamation mark": (
        YARD + "    username: a\n    password: !topsecret\n",
        '5: cameras.yard.password: YAML tags are not used here: put a value that starts with "!" in quotes',
    ),
    "password that starts with two marks": (
        YARD + "    password: !top!secret\n",
        '4: a value that starts with "!" must be in quotes',
    ),
    "password that starts with an at sign": (
        YARD + "    password: @bc\n",
        "4: a value that starts with @, % or ` must be in quotes",
    ),
    "password as list": (
        YARD + "    username: a\n    password: [topsecret]\n",
        "5: cameras.yard.password: must be a single value",
    ),
    "password with a control character": (
        YARD + '    username: a\n    password: "top\\nsecret"\n',
        "5: cameras.yard.password: must be one line without control characters",
    ),
    "password that no encoding takes": (
        YARD + '    username: a\n    password: "\\ud800"\n',
        "5: cameras.yard.password: must be one line without control characters",
    ),
    "password without user": (
        YARD + "    password: topsecret\n",
        '4: cameras.yard.password: needs "username" beside it',
    ),
    "password file that is not there": (
        YARD + "    username: a\n    password_file: none.txt\n",
        "5: cameras.yard.password_file: the file does not exist (a relative path starts at the folder of config.yaml)",
    ),
    "password file that is a folder": (
        YARD + "    username: a\n    password_file: .\n",
        "5: cameras.yard.password_file: is not a file",
    ),
    "variable not set": (
        YARD + '    username: a\n    password: "${YARD_PASSWORD}"\n',
        "5: cameras.yard.password: environment variable YARD_PASSWORD is not set",
    ),
    "variable without a name": (
        YARD + '    username: a\n    password: "top${secret"\n',
        '5: cameras.yard.password: "${" must be followed by a variable name and "}"; write "$${" for the characters',
    ),
    "credential without password": (
        "discovery:\n  credentials:\n    - username: admin\n",
        "3: discovery.credentials[0]: needs a password or a password_file",
    ),
    "credential without user": (
        "discovery:\n  credentials:\n    - password: admin\n",
        "3: discovery.credentials[0].username: is missing",
    ),
    "credentials not a list": (
        "discovery:\n  credentials:\n    username: admin\n",
        '2: discovery.credentials: must be a list: lines that start with "- "',
    ),
    "camera without source": (
        "cameras:\n  yard:\n    name: Yard\n",
        '2: cameras.yard: needs "address" (an ONVIF camera), "rtsp" (a stream URL) or "publish" (it sends to us)',
    ),
    "camera with two sources": (
        YARD + "    address: 192.168.1.2\n",
        '3: cameras.yard.rtsp: a camera has one source, and "address" is already given',
    ),
    "camera without keys": ("cameras:\n  yard:\n", "2: cameras.yard: is empty: indent its keys below it"),
    "camera that is a URL": (
        "cameras:\n  yard: rtsp://192.168.1.2/live\n",
        '2: cameras.yard: must hold "key: value" lines, indented below it',
    ),
    "cameras as list": (
        "cameras:\n  - rtsp: rtsp://192.168.1.2/live\n",
        '1: cameras: must hold "key: value" lines, indented below it',
    ),
    "id with capitals and a space": (
        "cameras:\n  Front Door:\n    address: 192.168.1.2\n",
        f'2: cameras.Front Door: {BAD_ID}, such as "front-door"',
    ),
    "id of signs": ("cameras:\n  ___:\n    address: 192.168.1.2\n", f"2: cameras.___: {BAD_ID}"),
    "id too long": (
        f"cameras:\n  {'a' * 64}:\n    address: 192.168.1.2\n",
        f'2: cameras.{"a" * 64}: {BAD_ID}, such as "{"a" * 63}"',
    ),
    "profile of a plain stream": (
        YARD + "    profile: P1\n",
        '4: cameras.yard.profile: belongs to a camera with "address", not with "rtsp"',
    ),
    "sub of an ONVIF camera": (
        "cameras:\n  yard:\n    address: 192.168.1.2\n    sub: rtsp://192.168.1.2/sub\n",
        '4: cameras.yard.sub: belongs to a camera with "rtsp", not with "address"',
    ),
    "login of a publisher": (
        "cameras:\n  phone:\n    publish: {key: k}\n    username: a\n",
        '4: cameras.phone.username: belongs to a camera with "address", not with "publish"',
    ),
    "publisher without key": ("cameras:\n  phone:\n    publish: {}\n", "3: cameras.phone.publish.key: is missing"),
    "publisher with an empty key": (
        "cameras:\n  phone:\n    publish: {key: ''}\n",
        f"3: cameras.phone.publish.key: {EMPTY}",
    ),
    "push that is no list": (
        YARD + "    push: rtmp://media.example/live/yard\n",
        '4: cameras.yard.push: must be a list: lines that start with "- "',
    ),
    "push to a web page": (
        YARD + "    push: ['http://media.example/topsecret']\n",
        "4: cameras.yard.push[0]: must start with rtmp:// or rtmps://",
    ),
    "push to an application only": (
        YARD + "    push: [{url: rtmp://media.example/topsecret}]\n",
        "4: cameras.yard.push[0].url: needs an application and a stream name: rtmp://HOST/APPLICATION/NAME",
    ),
    "push of a text to an application only": (
        YARD + "    push: ['rtmp://media.example/topsecret']\n",
        "4: cameras.yard.push[0]: needs an application and a stream name: rtmp://HOST/APPLICATION/NAME",
    ),
    "push without a place": (
        YARD + "    push: [{key: topsecret}]\n",
        "4: cameras.yard.push[0].url: is missing",
    ),
    "push to the same place twice": (
        YARD + "    push: [rtmp://media.example/live/x, {url: rtmp://media.example/live, key: x}]\n",
        "4: cameras.yard.push: two entries name the same place; a server takes one publisher per name",
    ),
    "push of a sub stream that is not there": (
        YARD + "    push: [{url: rtmp://media.example/live/x, stream: sub}]\n",
        '4: cameras.yard.push: "stream: sub" needs a camera with a sub stream',
    ),
    "trust without encryption": (
        YARD + "    push: [{url: rtmp://media.example/live/x, verify: false}]\n",
        "4: cameras.yard.push[0].verify: belongs to an rtmps:// URL",
    ),
    "trust in two ways": (
        YARD + f"    push: [{{url: rtmps://media.example/live/x, verify: false, fingerprint: '{'ab:' * 31}cd'}}]\n",
        '4: cameras.yard.push[0].verify: "fingerprint" already says which certificate is good',
    ),
    "fingerprint of another kind": (
        YARD + "    push: [{url: rtmps://media.example/live/x, fingerprint: topsecret}]\n",
        "4: cameras.yard.push[0].fingerprint: must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons",
    ),
    "authority that is not there": (
        YARD + "    push: [{url: rtmps://media.example/live/x, ca_file: nowhere.pem}]\n",
        "4: cameras.yard.push[0].ca_file: the file does not exist (a relative path starts at the folder of config.yaml)",
    ),
    "misspelt key of a push": (
        YARD + "    push: [{url: rtmp://media.example/live/x, strem: sub}]\n",
        '4: cameras.yard.push[0].strem: unknown key, did you mean "stream"?',
    ),
    "web page as stream": (
        "cameras:\n  yard:\n    rtsp: http://192.168.1.2/topsecret\n",
        "3: cameras.yard.rtsp: must start with rtsp:// or rtsps://",
    ),
    "URL without host": (
        "cameras:\n  yard:\n    rtsp: rtsp:///topsecret\n",
        "3: cameras.yard.rtsp: has no valid host after //",
    ),
    "URL with another user": (
        "cameras:\n  yard:\n    rtsp: rtsp://root:topsecret@192.168.1.2/live\n    username: admin\n",
        "3: cameras.yard.rtsp: the URL has another user name than was given before",
    ),
    "URL with another password": (
        "cameras:\n  yard:\n    rtsp: rtsp://admin:topsecret@192.168.1.2/live\n    password: other\n",
        "3: cameras.yard.rtsp: the URL has another password than was given before",
    ),
    "URL whose password could end twice": (
        "cameras:\n  yard:\n    rtsp: rtsp://admin:12/topsecret@cam/live\n",
        '3: cameras.yard.rtsp: cannot tell where the password ends: give it with the keys "username" and "password"; '
        "an @ of the path is written %40",
    ),
    "stream URL as address": (
        "cameras:\n  yard:\n    address: rtsp://admin:topsecret@192.168.1.2/live\n",
        '3: cameras.yard.address: is an RTSP URL: use the key "rtsp" for it',
    ),
    "page as address": (
        "cameras:\n  yard:\n    address: http://192.168.1.2/onvif/device_service\n",
        '3: cameras.yard.address: must be a host or host:port, without "http://" and path',
    ),
    "impossible address": (
        "cameras:\n  yard:\n    address: 192.168.1.256\n",
        "3: cameras.yard.address: must be a host or host:port, such as 192.168.1.20 or camera.lan:8000",
    ),
    "tab": ("cameras:\n\tyard:\n", "2: holds a tab: indent with spaces"),
    "quote left open": ('site: "Shed\nlisten:\n  rtmp: off\n', "1: the quote that opens here is never closed"),
    "bracket left open": ("cameras: {\nsite: a\n", "1: the bracket that opens here is not closed properly"),
    "colon in a value": ("site: Shed: north\n", '1: a colon too many: put a value that holds ": " in quotes'),
    "colon forgotten": ("site: Shed\ncameras\n", '2: here a "key: value" was expected, and the colon is missing'),
    "indentation": ("hls:\n    part: 200ms\n  segment: 2s\n", "3: the indentation does not fit the lines above"),
    "backslash": (
        'site: "C:\\topsecret\\q"\n',
        "1: between double quotes a backslash is written twice: use single quotes instead",
    ),
    "second document": ("site: a\n---\nsite: b\n", '2: only one document fits in a file: remove the second "---"'),
    "only a word": ("hello\n", '1: must hold "key: value" lines'),
    "only a list": ("- a\n", '1: must hold "key: value" lines'),
    "key that is a list": ("? [a]\n: b\n", "1: a key must be a plain word"),
    "control character": ("site: a\nhls: \x07\n", "2: holds the control character U+0007: remove it"),
    "nested without end": ("site: " + "[" * 60 + "]" * 60 + "\n", "1: is nested more than 20 levels deep"),
    "alias in itself": ("site: &a [*a]\n", "1: an alias stands inside the value it repeats"),
    "merge of a word": ("hls: {<<: part}\n", '1: hls: "<<" takes over a mapping, which this is not'),
    "site left empty": ("site:\n", f"1: site: {EMPTY}"),
    "site of a page": (f"site: {'x' * 501}\n", "1: site: is longer than 500 characters"),
    "home of nobody": ("data_dir: ~nobody-here/x\n", '1: data_dir: "~" names a user without a home folder'),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_wrong_configuration_has_one_exact_line(findings: Findings, text: str, expected: str) -> None:
    assert findings(text) == [f"config.yaml:{expected}"]


@pytest.mark.parametrize("text", [text for text, _ in WRONG.values() if "secret" in text])
def test_no_finding_repeats_a_secret(findings: Findings, text: str) -> None:
    assert "secret" not in "".join(findings(text))
