"""The driver against a simulated camera with the faults of real ones: it moves, and it stands still afterwards."""

from __future__ import annotations

import threading
import time

import pytest

from gateway.device.device import SteeredConnection
from gateway.device.driver import MAX_WAITING, Busy, Driver
from gateway.errors import ProtocolError, Unreachable, WrongCredentials
from gateway.onvif.ptz import Vector
from gateway.onvif.ptz_client import PtzClient

RIGHT = Vector(pan=0.6)


@pytest.fixture
def driver(simulated):
    driver = Driver("yard", lambda: SteeredConnection(simulated.link(), None))
    yield driver
    for thread in driver.close():
        thread.join(5)
        assert not thread.is_alive()


def place(simulated):
    return simulated.camera.head.place(time.monotonic())


def moving(simulated):
    return simulated.camera.head.moving(time.monotonic())


def held(driver, direction):
    """As a browser does while the button is held: on a busy machine one wish may be stale before it reaches the camera."""
    driver.move(direction)
    return True


def stops(simulated):
    return [order for order in simulated.camera.head.orders if order != "ContinuousMove"]


def test_it_moves_while_it_is_asked_and_stops_when_the_browser_falls_silent(simulated, driver, until):
    until(lambda: held(driver, RIGHT) and moving(simulated))
    until(lambda: not moving(simulated))
    assert "Stop" in simulated.camera.head.orders
    assert place(simulated)[0] > 0.05


def test_camera_that_ignores_its_timeout_is_stopped_all_the_same(simulated, driver, until):
    simulated.camera.ptz.quirks.ignores_timeout = True
    until(lambda: held(driver, RIGHT) and moving(simulated))
    until(lambda: not moving(simulated))


def test_camera_that_ignores_stop_gets_speed_zero(simulated, driver, until):
    simulated.camera.ptz.quirks.ignores_stop = simulated.camera.ptz.quirks.ignores_timeout = True
    until(lambda: held(driver, Vector(0.2, 0.1, 0.5)) and moving(simulated))
    driver.stop()
    until(lambda: not moving(simulated))
    assert "Stop" in stops(simulated)


def test_camera_that_always_says_idle_is_not_believed(simulated, driver, until):
    simulated.camera.ptz.quirks.ignores_stop = simulated.camera.ptz.quirks.always_idle = True
    simulated.camera.ptz.quirks.ignores_timeout = True
    until(lambda: held(driver, RIGHT) and moving(simulated))
    driver.stop()
    until(lambda: not moving(simulated))


def test_zoom_is_stopped_where_only_named_axes_stop(simulated, driver, until):
    simulated.camera.ptz.quirks.stops_named_axes_only = simulated.camera.ptz.quirks.ignores_timeout = True
    until(lambda: held(driver, Vector(zoom=0.5)) and moving(simulated))
    driver.stop()
    until(lambda: not moving(simulated))


def test_camera_that_refuses_timeouts_moves_without(simulated, driver, until):
    simulated.camera.ptz.quirks.refuses_timeout = True
    until(lambda: held(driver, RIGHT) and moving(simulated))
    driver.stop()
    until(lambda: not moving(simulated))
    assert driver.trouble is None


def test_slow_camera_works_off_no_queue(simulated, driver, until):
    """A hundred wishes while the connection opens are one movement: the newest."""
    for step in range(100):
        driver.move(Vector(pan=step / 100, tilt=-0.1))
    until(lambda: moving(simulated))
    driver.stop()
    until(lambda: not moving(simulated))
    assert simulated.camera.head.orders.count("ContinuousMove") < 5, "the first after connecting, and those that refresh it"


def test_presets_and_places(simulated, driver, until):
    def do(run, *, moves=True):
        return driver.errand(run, moves=moves).result(5)

    do(lambda ptz: ptz.absolute(Vector(0.4, -0.2, 1.0), zoom=True))
    until(lambda: not moving(simulated))
    assert place(simulated) == (0.4, -0.2, 1.0)
    token = do(lambda ptz: ptz.set_preset("Gate <1>"), moves=False)
    do(lambda ptz: ptz.relative(Vector(pan=-0.2)))
    until(lambda: not moving(simulated))
    assert place(simulated)[0] == pytest.approx(0.2)
    assert [(preset.token, preset.name) for preset in do(PtzClient.presets, moves=False)] == [(token, "Gate <1>")]
    do(lambda ptz: ptz.go_to(token))
    until(lambda: place(simulated)[0] == 0.4)
    do(PtzClient.go_home)
    until(lambda: place(simulated) == (0, 0, 0))
    do(lambda ptz: ptz.remove_preset(token), moves=False)
    assert do(PtzClient.presets, moves=False) == ()
    assert "Stop" not in simulated.camera.head.orders, "a camera on its way to a preset is left alone"


def test_stop_reaches_a_camera_that_is_on_its_way_to_a_preset(simulated, driver, until):
    driver.errand(lambda ptz: ptz.absolute(Vector(1, 1, 1), zoom=True), moves=True).result(5)
    driver.stop()
    until(lambda: not moving(simulated))
    assert place(simulated)[0] < 0.9


class Slow:
    """A camera that notes what it is told and takes its time for the first thing."""

    def __init__(self):
        self.told, self.may_answer, self.ptz = [], threading.Event(), self
        self.asked = threading.Event()

    def __getattr__(self, name):
        return lambda *_: self.told.append(name)

    def presets(self):
        self.asked.set()
        assert self.may_answer.wait(5)

    def close(self):
        pass


@pytest.fixture
def slow():
    """A driver that waits for its camera, and the camera."""
    camera = Slow()
    driver = Driver("yard", lambda: camera)
    driver.errand(Slow.presets, moves=False)
    assert camera.asked.wait(5)
    yield driver, camera
    camera.may_answer.set()
    for thread in driver.close():
        thread.join(5)


def test_a_stop_takes_back_a_preset_that_waits_for_a_slow_camera(slow):
    driver, camera = slow
    future = driver.errand(lambda ptz: ptz.go_to("1"), moves=True)
    kept = driver.errand(lambda ptz: ptz.set_home(), moves=False)
    driver.stop()
    camera.may_answer.set()
    with pytest.raises(ProtocolError, match="stopped before it began"):
        future.result(5)
    kept.result(5)
    assert "go_to" not in camera.told, "somebody pressed Stop, and then it moved"
    assert "stop" in camera.told


def test_a_preset_is_not_overtaken_by_the_movement_before_it(slow, until):
    driver, camera = slow
    driver.move(RIGHT)
    driver.errand(lambda ptz: ptz.go_to("1"), moves=True)
    camera.may_answer.set()
    until(lambda: "go_to" in camera.told)
    time.sleep(0.05)
    assert "move" not in camera.told


def test_a_movement_asked_for_after_a_preset_comes_after_it(slow, until):
    driver, camera = slow
    driver.errand(lambda ptz: ptz.go_to("1"), moves=True)
    driver.move(RIGHT)
    camera.may_answer.set()
    until(lambda: "move" in camera.told)
    assert camera.told[:2] == ["go_to", "move"]


def test_closing_stops_what_moves(simulated, driver, until):
    simulated.camera.ptz.quirks.ignores_timeout = True
    until(lambda: held(driver, RIGHT) and moving(simulated))
    (thread,) = driver.close()
    thread.join(3)
    assert not thread.is_alive()
    assert not moving(simulated)
    driver.move(RIGHT)
    assert not driver.close(), "a closed driver starts nothing"


def test_camera_that_is_away_is_said_and_asked_again_by_the_next_wish(until):
    def away():
        raise Unreachable("10.0.0.9: no answer")

    driver = Driver("yard", away)
    future = driver.errand(PtzClient.presets, moves=False)
    with pytest.raises(Unreachable, match="no answer"):
        future.result(5)
    driver.move(RIGHT)
    until(lambda: driver._thread is None)
    assert str(driver.trouble) == "10.0.0.9: no answer"


def test_defect_of_ours_is_said_to_whoever_waits_instead_of_nothing(caplog):
    class Opened:
        ptz = None

        def close(self):
            pass

    def broken(ptz):
        raise KeyError("mended")

    driver = Driver("yard", Opened)
    with pytest.raises(ProtocolError, match="steering failed: 'mended'"):
        driver.errand(broken, moves=False).result(5)

    def unopened():
        raise KeyError("closed")

    driver = Driver("yard", unopened)
    with pytest.raises(ProtocolError, match="steering failed: 'closed'"):
        driver.errand(broken, moves=False).result(5)
    assert len([record for record in caplog.records if record.exc_info]) == 2


def test_errands_do_not_pile_up():
    opened = threading.Event()

    def slow():
        opened.wait(5)
        raise WrongCredentials("no")

    driver = Driver("yard", slow)
    futures = [driver.errand(PtzClient.presets, moves=False) for _ in range(MAX_WAITING)]
    with pytest.raises(Busy):
        driver.errand(PtzClient.presets, moves=False)
    opened.set()
    for future in futures:
        with pytest.raises(WrongCredentials):
            future.result(5)
