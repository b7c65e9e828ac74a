"""That a check failed can be said whatever the reason was."""

import pytest

from modeltrail.drift.windows.closing import Closing, Window
from modeltrail.drift.windows.order import Position
from modeltrail.errors import InvalidEventError, UnknownStoreError
from modeltrail.events.encode import encode_binary
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.watch.own_checks import failure

CHAIN = Chain("c", "t.predictions", 0, 0, 0)


def a_closing(*, log_time=1000, **given):
    wanted = {
        "kind": "drift", "model_id": "m", "model_version": "1", "monitor": MonitorConfigured(monitor_id="d", model_id="m"),
        "monitor_sha256": "0" * 64, "baseline": None, "window": Window(0, 1000), "x": Position.at(log_time, CHAIN, 7),
        "cut": {str(CHAIN): 6}, "closed_by": "watermark",
    }  # fmt: skip
    return Closing(**wanted | given)


@pytest.mark.parametrize(
    "model_id", ["a 'quoted' \"name\"", "back\\slash {x:String} $rows", "дрейф \N{SNOWMAN}\N{PILE OF POO}", "x" * 1024]
)
def test_any_model_can_fail(model_id):
    (event,) = failure(a_closing(model_id=model_id), None, ValueError(model_id)).events
    key, headers, value = encode_binary(event)
    assert key == model_id.encode()
    assert headers
    assert value


@pytest.mark.parametrize(
    ("log_time", "time"),
    [(-1, "1970-01-01T00:00:00"), (1500, "1970-01-01T00:00:01.500"), (2**62, "2199-12-31T23:59:59.999")],
)
def test_a_record_may_have_any_time(log_time, time):
    (event,) = failure(a_closing(log_time=log_time), None, ValueError("7")).events
    assert str(event.time).startswith(time)


def test_what_cannot_be_read_of_the_check_before_is_given_up():
    computed = failure(a_closing(), {"alerts": "nonsense", "fold": {"format": 1}}, ValueError("7"))
    assert computed.check.status == "failed"
    assert computed.carry == {}


def test_the_error_says_whose_fault_it_is():
    def said(error):
        return failure(a_closing(), None, error).check.error

    assert said(InvalidEventError("fields.0", "x", "must be known")) == "fields.0: 'x': must be known"
    assert said(ValueError("7")).startswith("ValueError: 7 (not a fault of the data; modeltrail ")
    assert said(UnknownStoreError(7, "code 7")).startswith("code 7 (not a fault of the data; modeltrail ")
    assert len(said(ValueError("x" * 10**6))) < 1300
