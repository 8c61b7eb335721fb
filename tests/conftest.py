"""What all tests share: a local service, names that no other test uses, and the pace of generated tests."""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from tests.support.patience import PATIENCE

# Generated cases run on busy machines: the time of one case, or of making it, means nothing. A failure prints what repeats it.
hypothesis.settings.register_profile(
    "house",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("house")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless the command line speaks of it."""
    if "long" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(autouse=True)
def logging_that_works() -> Iterator[None]:
    """What a handler of the tests raised over a record of ours (a wrong format, for one) must not go unseen."""
    from twilio_conversations.util import logs

    yield
    logs.flush(10)
    reported = set(logs._reported)
    logs._reported.clear()
    assert not reported


class WholeLog(pytest.LogCaptureFixture):
    """Records of threads that run no code of the program's are passed on by another one: look once they have come."""

    @property
    def records(self) -> list[logging.LogRecord]:
        """The records so far, none of them under way."""
        from twilio_conversations.util import logs

        logs.flush(PATIENCE)
        return super().records

    @property
    def text(self) -> str:
        """The formatted records so far."""
        assert isinstance(self.records, list)
        return super().text


@pytest.fixture
def caplog(request: pytest.FixtureRequest) -> Iterator[WholeLog]:
    """pytest's own, with the records of all threads."""
    log = WholeLog(request.node, _ispytest=True)
    yield log
    log._finalize()


@pytest.fixture(scope="session")
def service() -> Iterator[object]:
    """A local service on a free port with a data directory of its own, for the whole run."""
    from twilio_conversations.server import LocalServer

    with LocalServer() as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> object:
    """An authority for certificates that nobody else trusts (`tests.support.certificates.Authority`)."""
    from tests.support.certificates import Authority

    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Returns a maker of names that no other test and no other run uses: `fresh("alice")`."""
    run = uuid.uuid4().hex[:6]
    numbers = itertools.count()

    def make(name: str) -> str:
        number = next(numbers)
        return f"{name}-{run}" if number == 0 else f"{name}-{run}{number}"

    return make
