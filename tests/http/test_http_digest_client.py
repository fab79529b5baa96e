"""HTTP Digest, against the examples of the specifications."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.http import digest_client as digest

SHA256 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
MD5 = SHA256.replace("SHA-256", "MD5")
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def response(header):
    challenge = digest.find_challenge([header])
    value = digest.authorization(challenge, "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce=CNONCE, count=1)
    return re.search(r'response="([0-9a-f]+)"', value).group(1)


def test_rfc_7616_examples():
    assert response(MD5) == "8ca523f5e9506fed4657c9700eebdbec"
    assert response(SHA256) == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_rfc_2069_form_without_qop():
    challenge = digest.find_challenge(['Digest realm="testrealm@host.com", nonce="n"'])
    value = digest.authorization(challenge, "POST", "/", "u", "p", cnonce="c", count=1)
    assert "qop" not in value
    assert "cnonce" not in value
    assert "algorithm" not in value, "an old camera is told no word that it did not use itself"
    assert 'response="' in value


def test_digest_beside_basic_in_one_header():
    challenge = digest.find_challenge(['Basic realm="a, b", Digest realm="IP Camera", nonce="x", stale=TRUE'])
    assert (challenge.realm, challenge.nonce, challenge.stale) == ("IP Camera", "x", True)


def test_first_that_can_be_answered_is_taken():
    headers = ['Digest realm="r", nonce="1", algorithm=SHA-512-256', 'Digest realm="r", nonce="2", algorithm=MD5']
    assert digest.find_challenge(headers).nonce == "2"
    assert digest.find_challenge(['Basic realm="r"']) is None
    assert digest.find_challenge(['Digest realm="no nonce"']) is None
    assert digest.find_challenge(['Digest realm="r", nonce="1", qop="auth-int"']) is None


def test_quotes_and_letters_in_a_user_name():
    challenge = digest.find_challenge([MD5])
    value = digest.authorization(challenge, "POST", "/", 'a"b大', "p", cnonce="c", count=1)
    assert 'username="a\\"b' in value
    value.encode("latin-1")


@given(st.lists(st.text()))
def test_garbage_never_raises(headers):
    digest.find_challenge(headers)
    digest.find_challenge(["Digest " + header for header in headers])
