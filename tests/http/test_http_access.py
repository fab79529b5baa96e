"""Who may see and who may change things."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import stat
import threading
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from gateway.access.grants import Grant
from gateway.access.tokens import TokenWish
from gateway.config.model import Auth, Camera, Config, Role, Secret, User
from gateway.http import access as access_module
from gateway.http.access import ADMIN, ANONYMOUS, VIEWER, Access, Decision, Proof, Right
from gateway.http.secretfiles import SecretFiles


def basic(user: str = "admin", password: str = "correct horse") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def decide(access: Access, request, right: Right = Right.VIEW) -> Decision:
    decision = asyncio.run(access.check_request(request, right))
    assert access.check_request_sync(request, right) == decision
    return decision


def test_first_run_takes_the_given_password_and_keeps_it_to_itself(tmp_path: Path):
    access, generated = Access.open(tmp_path, "from the environment")
    assert generated is None
    assert access.login_sync("1.2.3.4", "admin", "from the environment").allowed
    access.close()
    for name in ("admin.hash", "session.key"):
        file = tmp_path / "secrets" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"environment" not in file.read_bytes()
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_first_run_without_a_password_makes_a_readable_one_and_tells_it_once(tmp_path: Path):
    access, generated = Access.open(tmp_path)
    assert generated is not None
    assert len(generated.replace("-", "")) == 15
    assert not set(generated) & set("il1o0")
    assert access.login_sync("1.2.3.4", "admin", generated).allowed
    access.close()
    again, told = Access.open(tmp_path, "ignored on later runs")
    assert told is None
    assert not again.login_sync("1.2.3.4", "admin", "ignored on later runs").allowed
    again.close()


@pytest.mark.parametrize("content", ["", "garbage", "scrypt:x", "plain:$a$b"])
def test_a_damaged_hash_is_replaced_instead_of_locking_everybody_out(tmp_path: Path, content: str, caplog):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "admin.hash").write_text(content)
    access, generated = Access.open(tmp_path)
    assert generated is not None
    assert "damaged" in caplog.text
    access.close()


def test_a_hash_with_impossible_parameters_refuses_instead_of_raising(data_dir: Path, caplog):
    (data_dir / "secrets" / "admin.hash").write_text("scrypt:3:1:1$salt$00")
    access = Access(SecretFiles(data_dir))
    assert not access.login_sync("1.2.3.4", "admin", "x").allowed
    assert "gateway passwd" in caplog.text
    access.close()


@pytest.mark.parametrize("content", [b"", b"zz", b"\xff\xfe", b"00" * 31])
def test_a_damaged_session_key_is_replaced_with_a_log_line(data_dir: Path, content: bytes, caplog):
    file = data_dir / "secrets" / "session.key"
    file.write_bytes(content)
    Access(SecretFiles(data_dir)).close()
    assert "session.key is damaged" in caplog.text
    assert len(bytes.fromhex(file.read_text())) == 32


def test_an_empty_password_is_refused(access: Access):
    with pytest.raises(ValueError, match="empty"):
        access.set_password("")


def test_basic_credentials_of_the_admin_open_everything(access: Access, make):
    decision = decide(access, make(authorization=basic()), Right.ADMIN)
    assert decision == Decision(True, ADMIN, proof=Proof.BASIC)


@pytest.mark.parametrize("header", [basic("admin", "wrong"), basic("root"), "Basic !!!", "Bearer x", "Basic", basic("", "")])
def test_anything_else_does_not(access: Access, make, header: str):
    assert decide(access, make(authorization=header)).status == 401


def test_the_viewing_token_may_view_and_is_stable_over_restarts(access: Access, data_dir: Path, make):
    request = make(query=f"token={access.viewing_token}")
    assert decide(access, request) == Decision(True, VIEWER, proof=Proof.TOKEN)
    assert decide(access, request, Right.ADMIN).status == 403
    again = Access(SecretFiles(data_dir))
    again.set_password("another")
    assert again.viewing_token == access.viewing_token
    again.close()


def test_user_and_pass_in_the_address_are_as_good_as_a_header(access: Access, make):
    request = make(query="user=admin&pass=correct%20horse")
    assert decide(access, request, Right.ADMIN) == Decision(True, ADMIN, proof=Proof.PARAMETERS)


def test_rtmp_players_are_judged_by_their_parameters(access: Access):
    good: tuple[dict[str, str], ...] = (
        {"token": access.viewing_token}, {"user": "admin", "pass": "correct horse"},
    )  # fmt: skip
    bad: tuple[dict[str, str], ...] = ({}, {"token": "x"}, {"user": "admin"}, {"user": "admin", "pass": "x"})
    for expected, cases in ((True, good), (False, bad)):
        for params in cases:
            assert asyncio.run(access.check_params("10.0.0.9", params)) is expected
            assert access.check_params_sync("10.0.0.9", params) is expected


def test_a_session_lives_thirty_days_after_its_last_use(access: Access, make, clock):
    name = access.session_cookie("https")
    value = access.new_session(ADMIN)
    request = make(cookie=f"other=1; {name}={value}")
    assert decide(access, request, Right.ADMIN).proof is Proof.COOKIE
    assert access.session_to_renew(request) is None
    clock.now += 25 * 3600
    assert access.session_to_renew(request) is not None
    clock.now += 28 * 86400
    assert decide(access, request).allowed
    clock.now += 2 * 86400
    assert not decide(access, request).allowed


def test_a_session_of_the_other_scheme_or_forged_does_not_count(access: Access, make):
    value = access.new_session(ADMIN)
    https = access.session_cookie("https")
    assert not decide(access, make(scheme="http", cookie=f"{https}={value}")).allowed
    assert not decide(access, make(cookie=f"{https}={value[:-3]}abc")).allowed
    assert not decide(access, make(cookie=f"{https}=")).allowed


def test_a_viewer_s_session_does_not_hide_the_admin_s_credentials(access: Access, make):
    cookie = f"{access.session_cookie('https')}={access.new_session(VIEWER)}"
    assert decide(access, make(cookie=cookie), Right.ADMIN).status == 403
    assert decide(access, make(cookie=cookie, authorization=basic()), Right.ADMIN).allowed


def test_a_password_set_by_another_process_counts_within_seconds(access: Access, data_dir: Path, make, clock):
    request = make(authorization=basic())
    cookie = make(cookie=f"{access.session_cookie('https')}={access.new_session(ADMIN)}")
    assert decide(access, request).allowed
    assert decide(access, cookie).allowed
    SecretFiles(data_dir).set_password("set by gateway passwd")
    clock.now += 3
    assert not decide(access, request).allowed
    assert not decide(access, cookie).allowed
    assert decide(access, make(authorization=basic(password="set by gateway passwd"))).allowed


def test_five_hundred_viewers_with_one_password_cost_one_scrypt(access: Access, make, monkeypatch):
    calls = []
    original = access_module.check_password_hash

    def counted(*args: str) -> bool:
        calls.append(threading.current_thread().name)
        return original(*args)

    monkeypatch.setattr(access_module, "check_password_hash", counted)

    async def viewers() -> list[Decision]:
        request = make(authorization=basic())
        return await asyncio.gather(*(access.check_request(request, Right.VIEW) for _ in range(500)))

    assert all(decision.allowed for decision in asyncio.run(viewers()))
    assert len(calls) == 1
    assert calls[0].startswith("password")


def test_a_verdict_is_asked_for_again_after_some_minutes(access: Access, make, monkeypatch, clock):
    request = make(authorization=basic())
    assert decide(access, request).allowed
    monkeypatch.setattr(access_module, "check_password_hash", lambda *_: False)
    assert decide(access, request).allowed
    clock.now += 601
    assert not decide(access, request).allowed


def test_guessing_is_slowed_down_and_a_known_viewer_behind_the_same_address_is_not(access: Access, make, clock):
    good = make(authorization=basic())
    assert decide(access, good).allowed
    for number in range(5):
        assert decide(access, make(authorization=basic(password=f"guess {number}"))).status == 401
    refused = decide_once(access, make(authorization=basic(password="guess 6")))
    assert refused.status == 429
    assert 0 < refused.retry_after <= 1
    assert decide(access, good).allowed
    clock.now += 1.1
    assert decide_once(access, make(authorization=basic(password="guess 6"))).status == 401
    assert decide_once(access, make(authorization=basic(password="guess 7"))).retry_after > 1.5


def decide_once(access: Access, request) -> Decision:
    return asyncio.run(access.check_request(request, Right.VIEW))


def test_a_player_that_retries_an_old_password_locks_nobody_out(access: Access, make):
    stale = make(authorization=basic(password="last year's"))
    for _ in range(50):
        assert decide(access, stale).status == 401
    assert decide(access, make(authorization=basic())).allowed


def test_parallel_guesses_are_counted_before_they_are_judged(access: Access, make):
    async def burst() -> list[int]:
        requests = [make(authorization=basic(password=f"guess {number}")) for number in range(40)]
        decisions = await asyncio.gather(*(access.check_request(request, Right.VIEW) for request in requests))
        return [decision.status for decision in decisions]

    statuses = asyncio.run(burst())
    assert statuses.count(401) == 5
    assert statuses.count(429) == 35


def test_a_flood_from_many_addresses_is_sent_away_instead_of_queued(access: Access, make):
    async def flood() -> list[int]:
        requests = [make(authorization=basic(password=f"guess {number}"), client=f"10.1.0.{number}") for number in range(60)]
        decisions = await asyncio.gather(*(access.check_request(request, Right.VIEW) for request in requests))
        return [decision.status for decision in decisions]

    assert asyncio.run(flood()).count(429) == 60 - access_module.MAX_WAITING


def test_anonymous_viewing_lets_everybody_see_and_nobody_change(access: Access, make):
    access.anonymous_viewing = True
    assert decide(access, make()) == Decision(True, ANONYMOUS)
    assert decide(access, make(authorization=basic(password="wrong"))).allowed
    assert decide(access, make(), Right.ADMIN).status == 401
    assert asyncio.run(access.check_params("10.0.0.1", {}))


def test_form_tokens_belong_to_their_cookie(access: Access):
    nonce = access.new_form_nonce()
    token = access.form_token(nonce)
    assert access.form_token_matches(nonce, token)
    for other_nonce, other_token in ((nonce, ""), (nonce, "é"), ("", access.form_token("")), ("x", token)):
        assert not access.form_token_matches(other_nonce, other_token)


CHEAP = generate_password_hash("her own", method="scrypt:1024:8:1")
YARD = Camera("yard", "Yard", rtsp="rtsp://1.2.3.4/", group="Outside")
GATE = Camera("gate", "Gate", rtsp="rtsp://1.2.3.5/")


def people(*users: User, **auth: object) -> Config:
    return Config(cameras=(YARD, GATE), users=users, auth=Auth(**auth))  # type: ignore[arg-type]


def anna(role: Role = Role.VIEWER, password_hash: str = CHEAP, **seen: tuple[str, ...]) -> User:
    return User("anna", Secret(password_hash), role, **seen)  # type: ignore[arg-type]


HERS = basic("anna", "her own")


def test_a_user_of_a_group_sees_what_is_in_it_and_of_the_rest_not_that_it_is_there(access: Access, make):
    access.configure(people(anna(groups=("Outside",))))
    seen = asyncio.run(access.check_request(make(authorization=HERS), Right.VIEW, stream="yard.sub"))
    assert (seen.allowed, seen.user) == (True, "anna")
    for stream in ("gate", "gate.sub", "nowhere"):
        assert asyncio.run(access.check_request(make(authorization=HERS), Right.VIEW, stream=stream)).status == 404
    assert access.check_request_sync(make(authorization=HERS), Right.OPERATE, camera="yard").status == 403
    assert access.check_request_sync(make(authorization=HERS), Right.OPERATE, camera="gate").status == 404


def test_a_wrong_password_logs_nobody_in_where_everybody_may_look(access: Access):
    access.configure(people(anna(), anonymous_viewing=True))
    for user, password in (("admin", "wrong"), ("anna", "wrong"), ("anonymous", ""), ("viewer", "")):
        assert not access.login_sync("10.0.0.9", user, password).allowed
    assert access.login_sync("10.0.0.8", "anna", "her own").allowed


def test_a_reload_ends_the_sessions_of_who_was_removed_or_changed_and_no_others(access: Access, make):
    bert = User("bert", Secret(CHEAP), Role.OPERATOR)
    access.configure(people(anna(cameras=("yard",)), bert))
    name = access.session_cookie("https")
    hers, his = (make(cookie=f"{name}={access.new_session(user)}") for user in ("anna", "bert"))
    assert decide(access, hers).allowed
    access.configure(people(anna(cameras=("gate",)), bert))
    assert decide(access, hers).allowed, "other cameras are no reason to log in again"
    assert access.check_request_sync(hers, Right.VIEW, camera="yard").status == 404
    assert access.check_request_sync(hers, Right.VIEW, camera="gate").allowed
    access.configure(people(anna(Role.OPERATOR), bert))
    assert decide(access, hers).status == 401, "another role"
    hers = make(cookie=f"{name}={access.new_session('anna')}")
    assert decide(access, hers).allowed
    access.configure(people(anna(Role.OPERATOR, CHEAP[:-1] + ("1" if CHEAP[-1] == "0" else "0")), bert))
    assert decide(access, hers).status == 401, "another password"
    access.configure(people(bert))
    assert decide(access, hers).status == 401
    assert decide(access, his, Right.OPERATE).allowed


def test_logging_out_everywhere_ends_sessions_and_links_of_that_user_alone(access: Access, make):
    access.configure(people(anna()))
    name = access.session_cookie("https")
    hers, admins = (make(cookie=f"{name}={access.new_session(user)}") for user in ("anna", ADMIN))
    links = [access.keyring.make_link("yard", user, 2_000_000_000) for user in ("anna", ADMIN)]
    access.end_sessions("anna")
    assert [decide(access, one).allowed for one in (hers, admins)] == [False, True]
    assert [access.judge_token(link, stream="yard").allowed for link in links] == [False, True]
    assert decide(access, make(cookie=f"{name}={access.new_session('anna')}")).allowed


def test_a_session_that_is_renewed_while_its_user_logs_out_everywhere_is_over_all_the_same(access: Access, make):
    name = access.session_cookie("https")
    request = make(cookie=f"{name}={access.new_session(ADMIN)}")
    session = access._session_of(request)
    assert session is not None
    assert decide(access, make(cookie=f"{name}={access.renewed(session)}")).allowed
    access.end_sessions(ADMIN)
    assert not decide(access, make(cookie=f"{name}={access.renewed(session)}")).allowed


def test_streams_that_are_made_up_do_not_push_out_the_audit_log(access: Access, monkeypatch):
    access.configure(people())
    noted = []
    monkeypatch.setattr(access.audit, "going_on", lambda event, user, client, **more: noted.append(more["camera"]))
    for stream in ("yard", "yard.sub", "yard.x", "yard.sub.sub", "made-up", ""):
        access.note_watching(ANONYMOUS, "192.0.2.1", stream, "rtsp")
    assert noted == ["yard", "yard.sub"]


def test_the_viewing_token_does_not_stand_in_the_cookies_it_gives(access: Access):
    token = access.viewing_token
    fields = access._signer._serializer.loads(access.new_session(VIEWER))  # signed, and readable for everybody
    assert fields["u"] == VIEWER
    assert token not in str(fields)


def test_names_that_a_viewer_makes_up_do_not_fill_the_memory(access: Access):
    token = access.viewing_token
    for number in range(100):
        access.judge_token(token, stream=f"{number}-" + "x" * 60_000)
    access.judge_token(token, stream="a" * 63 + ".sub")
    assert len(access._decisions) == 1


def test_sessions_end_by_idleness_and_by_age(access: Access, make, clock):
    access.configure(people(anna(), session_idle_s=600.0, session_lifetime_s=3600.0))
    name = access.session_cookie("https")
    request = make(cookie=f"{name}={access.new_session('anna')}")
    assert access.session_to_renew(request) is None
    clock.now += 61
    session = access.session_to_renew(request)
    assert session is not None
    clock.now += 700
    assert not decide(access, request).allowed
    clock.now += 2700
    renewed = make(cookie=f"{name}={access.renewed(session)}")
    assert decide(access, renewed).allowed
    clock.now += 200
    assert not decide(access, renewed).allowed, "an hour after the login"


def test_whoever_was_let_in_is_out_as_soon_as_what_let_him_in_is_gone(access: Access, make, clock):
    access.configure(people(anna(cameras=("yard",))))

    def let_in(request, stream: str = "yard") -> Grant:
        grant = access.check_request_sync(request, Right.VIEW).grant
        assert grant is not None
        assert access.still(grant, Right.VIEW, stream=stream)
        return grant

    hers = let_in(make(authorization=HERS))
    assert not access.still(hers, Right.VIEW, stream="gate")
    assert not access.still(hers, Right.OPERATE, stream="yard")
    viewing = let_in(make(query=f"token={access.viewing_token}"))
    link = let_in(make(query=f"token={access.keyring.make_link('yard', 'anna', int(clock.now) + 60)}"))
    assert not access.still(link, Right.VIEW, stream="yard.sub")
    _, text = access.keyring.create_token(TokenWish("x", (Right.VIEW,), expires=clock.now + 90), "admin")
    token = let_in(make(query=f"token={text}"))
    clock.now += 60
    assert [access.still(one, Right.VIEW, stream="yard") for one in (hers, viewing, link, token)] == [True, True, False, True]
    clock.now += 30
    access.keyring.renew_viewing_token()
    assert [access.still(one, Right.VIEW, stream="yard") for one in (hers, viewing, token)] == [True, False, False]
    access.configure(people(anna(cameras=("gate",))))
    assert not access.still(hers, Right.VIEW, stream="yard")


def test_a_user_is_not_locked_out_by_others_who_guess_at_his_name(access: Access, clock):
    access.configure(people(anna()))
    assert access.login_sync("10.0.0.1", "anna", "her own").allowed
    access.forget()
    for number in range(40):
        access.login_sync(f"203.0.113.{number}", "anna", f"guess {number}")
    assert access.login_sync("203.0.113.99", "anna", "guess").status == 401
    assert access.login_sync("203.0.113.99", "anna", "another guess").retry_after > 3, "one attempt, not five"
    assert access.login_sync("203.0.113.98", "admin", "x").status == 401
    assert access.login_sync("203.0.113.98", "admin", "y").status == 401, "another name is not attacked"
    assert access.login_sync("10.0.0.2", "anna", "her own").allowed, "from a new place, too"
    access.forget()
    for number in range(3):
        assert access.login_sync("10.0.0.1", "anna", f"mistyped {number}").status == 401
    assert access.login_sync("10.0.0.1", "anna", "her own").allowed


def test_what_strangers_type_as_a_user_name_is_not_kept_because_it_may_be_a_password(access: Access, data_dir: Path):
    access.audit.start()
    access.login_sync("10.0.0.1", "correct horse", "")
    access.login_sync("10.0.0.1", "admin", "correct hrose")
    access.audit.flush()
    text = (data_dir / "audit.jsonl").read_text()
    assert "horse" not in text
    assert [entry["user"] for entry in access.audit.newest(9)] == ["admin", "?"]


def test_a_proxy_s_user_does_not_hide_better_credentials_and_needs_to_be_one_of_ours(access: Access, make):
    access.configure(people(anna()))
    request = dataclasses.replace(make(authorization=basic()), user="anna")
    assert decide(access, request, Right.ADMIN).user == ADMIN
    assert decide(access, request).proof is Proof.PROXY
    for name in ("bert", "viewer", "token:x", "link:admin", "play:admin", ""):
        assert not decide(access, dataclasses.replace(make(), user=name)).allowed
