"""Entry of the pytest plugin: an option, and fixtures that import nothing of `twilio_conversations` before they are used.

It is a module of its own because importing anything below `twilio_conversations` imports the client. The fixtures are made in
`twilio_conversations.testing`; the guide "Test your bot" shows them at work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from twilio_conversations.events.names import HandlerError
    from twilio_conversations.testing import Ask, Person, RunBot, Service, Settled


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for another service."""
    parser.getgroup("twilio-conversations").addoption(
        "--conversations-endpoint",
        metavar="URL",
        help="run the tests against this Conversations service, with the credentials in the environment, instead of a local one;"
        " 'twilio' is the cloud",
    )


@pytest.fixture(scope="session")
def conversations_service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """Conversations service for the whole run; with pytest-xdist, one for each worker."""
    from twilio_conversations.testing.running import serve

    with serve(request.config) as service:
        yield service


@pytest.fixture
def person(conversations_service: Service) -> Iterator[Person]:
    """Function that connects somebody: ``bob = person("bob")``; closed at the end of the test."""
    from twilio_conversations.testing.people import Person

    with Person(conversations_service) as connect:
        yield connect


@pytest.fixture
def run_bot(conversations_service: Service) -> Iterator[RunBot]:
    """Function that runs a `Bot` until the end of the test, and returns its client: ``run_bot(bot)``."""
    from twilio_conversations.testing.bots import RunBot

    with RunBot() as run:
        yield run


@pytest.fixture
def settled(conversations_service: Service) -> Settled:
    """Function that returns when no event is on its way to anybody."""
    from twilio_conversations.testing.settling import Settled

    return Settled(conversations_service)


@pytest.fixture
def ask(conversations_service: Service) -> Ask:
    """Function that sends a message and returns the answer of somebody else: ``ask(room, "hello").body``."""
    from twilio_conversations.testing.asking import Ask

    return Ask()


@pytest.fixture
def handler_errors(conversations_service: Service) -> list[HandlerError]:
    """What event handlers have raised in this test; what is in it at the end fails the test."""
    return conversations_service.handler_errors
