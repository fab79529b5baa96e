"""Basic and Digest: what is let in, what is not, and what is asked to try again."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.authenticator import (
    MAX_COUNTS,
    MAX_NONCES,
    NONCE_LIFETIME_S,
    Authenticator,
    RefuseAll,
    Scheme,
    Verdict,
    digest_response,
    parse_parameters,
)

URI = "rtsp://h/x"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def nonce_of(authenticator: Authenticator) -> str:
    (challenge,) = [one for one in authenticator.challenges() if one.startswith("Digest")]
    found = parse_parameters(challenge.removeprefix("Digest "))
    assert found is not None
    return found["nonce"]


def digest(
    nonce: str,
    *,
    user: str = "admin",
    password: str = "pw",
    method: str = "DESCRIBE",
    uri: str = URI,
    qop: str = "",
    nc: str = "00000001",
) -> str:
    secret = md5(f"{user}:Camera:{password}")
    extra = {"qop": qop, "nc": nc, "cnonce": "abc"} if qop else {}
    response = digest_response(secret, method, uri, nonce, **extra)
    suffix = "".join(f", {name}={value}" for name, value in extra.items())
    return f'Digest username="{user}", realm="Camera", nonce="{nonce}", uri="{uri}", response="{response}"{suffix}'


def test_the_example_of_rfc_2617() -> None:
    secret = md5("Mufasa:testrealm@host.com:Circle Of Life")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    response = digest_response(secret, "GET", "/dir/index.html", nonce, qop="auth", nc="00000001", cnonce="0a4f113b")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_no_header_is_missing_and_not_wrong() -> None:
    assert Authenticator({"admin": "pw"}).check("DESCRIBE", URI, None) is Verdict.MISSING


@pytest.mark.parametrize(
    ("user", "password", "verdict"),
    [
        ("admin", "pw", Verdict.GRANTED),
        ("admin", "p:w", Verdict.REFUSED),
        ("admin", "", Verdict.REFUSED),
        ("nobody", "", Verdict.REFUSED),
        ("ümlaut", "pässwort:1", Verdict.GRANTED),
    ],
)
def test_basic(user: str, password: str, verdict: Verdict) -> None:
    authenticator = Authenticator({"admin": "pw", "ümlaut": "pässwort:1"})
    assert authenticator.check("DESCRIBE", URI, basic(user, password)) is verdict


@pytest.mark.parametrize("qop", ["", "auth"])
def test_digest_with_and_without_qop(qop: str) -> None:
    authenticator = Authenticator({"admin": "pw"}, qop=bool(qop))
    nonce = nonce_of(authenticator)
    assert authenticator.check("DESCRIBE", URI, digest(nonce, qop=qop)) is Verdict.GRANTED
    assert authenticator.check("SETUP", URI, digest(nonce, qop=qop)) is Verdict.REFUSED, "another method"
    assert authenticator.check("DESCRIBE", URI, digest(nonce, qop=qop, password="no")) is Verdict.REFUSED
    assert authenticator.check("DESCRIBE", URI, digest(nonce, qop=qop, user="eve")) is Verdict.REFUSED


@pytest.mark.parametrize(
    ("signed", "verdict"),
    [
        ("rtsp://h/x/", Verdict.GRANTED),
        ("/x", Verdict.GRANTED),
        ("rtsp://h/x/trackID=1", Verdict.GRANTED),
        ("rtsp://h/other", Verdict.REFUSED),
        ("", Verdict.REFUSED),
    ],
)
def test_clients_sign_several_spellings_of_the_same_resource(signed: str, verdict: Verdict) -> None:
    authenticator = Authenticator({"admin": "pw"})
    header = digest(nonce_of(authenticator), method="SETUP", uri=signed)
    assert authenticator.check("SETUP", URI + "/trackID=0", header) is verdict


def test_an_old_nonce_is_stale_and_the_challenge_says_so() -> None:
    clock = Clock()
    authenticator = Authenticator({"admin": "pw"}, clock=clock)
    nonce = nonce_of(authenticator)
    clock.now += NONCE_LIFETIME_S
    assert authenticator.check("DESCRIBE", URI, digest(nonce)) is Verdict.GRANTED
    clock.now += 1.0
    assert authenticator.check("DESCRIBE", URI, digest(nonce)) is Verdict.STALE
    assert authenticator.check("DESCRIBE", URI, digest(nonce, password="no")) is Verdict.REFUSED
    assert "stale=true" in authenticator.challenges(stale=True)[0]


def test_a_nonce_of_before_a_restart_is_stale_and_a_forged_one_is_no_better() -> None:
    nonce = nonce_of(Authenticator({"admin": "pw"}, secret=b"before"))
    authenticator = Authenticator({"admin": "pw"}, secret=b"after")
    assert authenticator.check("DESCRIBE", URI, digest(nonce)) is Verdict.STALE
    assert authenticator.check("DESCRIBE", URI, digest("ffffffff.0.0")) is Verdict.STALE


def test_a_scheme_that_is_not_offered_is_not_taken() -> None:
    assert Authenticator({"a": "b"}, schemes=(Scheme.DIGEST,)).check("PLAY", URI, basic("a", "b")) is Verdict.REFUSED
    only_basic = Authenticator({"admin": "pw"}, schemes=(Scheme.BASIC,))
    assert only_basic.challenges() == ('Basic realm="Camera"',)
    assert only_basic.check("DESCRIBE", URI, digest("n")) is Verdict.REFUSED


def test_both_schemes_are_offered_strongest_first() -> None:
    assert [one.split()[0] for one in Authenticator({}).challenges()] == ["Digest", "Basic"]


def test_another_algorithm_realm_or_qop_is_refused() -> None:
    authenticator = Authenticator({"admin": "pw"})
    good = digest(nonce_of(authenticator))
    assert authenticator.check("DESCRIBE", URI, good + ", algorithm=MD5") is Verdict.GRANTED
    assert authenticator.check("DESCRIBE", URI, good + ", algorithm=SHA-256") is Verdict.REFUSED
    assert authenticator.check("DESCRIBE", URI, good.replace('"Camera"', '"Other"')) is Verdict.REFUSED
    assert authenticator.check("DESCRIBE", URI, good + ", qop=auth-int") is Verdict.REFUSED
    assert authenticator.check("DESCRIBE", URI, good + ", realm=Camera") is Verdict.REFUSED, "a name twice"


def test_refuse_all_lets_nobody_in() -> None:
    gate = RefuseAll()
    assert gate.check("DESCRIBE", URI, basic("admin", "pw")) is Verdict.REFUSED
    assert gate.check("DESCRIBE", URI, None) is Verdict.MISSING
    assert len(gate.challenges()) == 2


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.text(max_size=120), st.sampled_from(["", "Basic ", "Digest ", 'Digest username="admin", ']))
def test_no_header_raises_or_lets_in(text: str, prefix: str) -> None:
    assert Authenticator({"admin": "pw"}).check("DESCRIBE", URI, prefix + text) is Verdict.REFUSED


@pytest.mark.parametrize("realm", ['a"b', "a\\b"])
def test_a_realm_that_would_break_the_header_is_refused(realm: str) -> None:
    with pytest.raises(ValueError, match="quotes"):
        Authenticator({}, realm=realm)


def test_an_overheard_answer_with_a_count_is_good_for_nothing_and_its_owner_goes_on() -> None:
    authenticator = Authenticator({"admin": "pw"}, qop=True)
    nonce = nonce_of(authenticator)
    # a recorder with several connections sends its counts in any order
    for count in ("00000002", "00000001", "0000000a"):
        answer = digest(nonce, qop="auth", nc=count)
        assert authenticator.check("DESCRIBE", URI, answer) is Verdict.GRANTED
        assert authenticator.check("DESCRIBE", URI, answer) is Verdict.STALE, "replayed"
    assert authenticator.check("DESCRIBE", URI, digest(nonce, qop="auth", nc="zz")) is Verdict.STALE
    assert authenticator.check("DESCRIBE", URI, digest(nonce_of(authenticator), qop="auth")) is Verdict.GRANTED


def test_the_memory_of_counts_is_bounded() -> None:
    authenticator = Authenticator({"admin": "pw"}, qop=True)
    nonce = nonce_of(authenticator)
    verdicts = [
        authenticator.check("DESCRIBE", URI, digest(nonce, qop="auth", nc=f"{count:08x}")) for count in range(MAX_COUNTS + 5)
    ]
    assert verdicts == [Verdict.GRANTED] * MAX_COUNTS + [Verdict.STALE] * 5
    for _ in range(MAX_NONCES + 5):
        assert authenticator.check("DESCRIBE", URI, digest(nonce_of(authenticator), qop="auth")) is Verdict.GRANTED
    assert len(authenticator._counts) == MAX_NONCES
