"""Fails a test in whose time an event handler has raised, and leaves the service as it was."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any, Final, Self

import pytest

from twilio_conversations.events import dispatcher
from twilio_conversations.events.names import HandlerError
from twilio_conversations.testing.service import Service
from twilio_conversations.testing.settling import Settled
from twilio_conversations.util.naming import name_of

FIXTURE: Final = "conversations_service"
_LAST_WAIT: Final = 1.0
"""Seconds for handlers to finish at the end of a test."""


class Watch:
    """Hooks of pytest for as long as there is a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settled = Settled(service)

    def __enter__(self) -> Self:
        dispatcher.observers.append(self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        dispatcher.observers.remove(self._note)

    def _note(self, failure: HandlerError) -> None:
        self._service.handler_errors.append(failure)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Fail a test that has passed, if a handler raised in it."""
        outcome = yield
        if _uses_service(item):
            self._finish()
            self._raise()
        return outcome

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Restore the service; report handlers that raised while the test was torn down."""
        self._service.handler_errors.clear()  # those of a test that has failed itself
        try:
            self._service.restore()  # before the teardown, which may end the service
        finally:
            outcome = yield
        if _uses_service(item):
            self._raise()
        else:
            self._service.handler_errors.clear()
        return outcome

    def _finish(self) -> None:
        """Wait for handlers that are about to finish, where it can be known."""
        try:
            self._settled.reached(_LAST_WAIT)
        except pytest.skip.Exception:  # no control plane
            pass

    def _raise(self) -> None:
        __tracebackhide__ = True
        failures, self._service.handler_errors[:] = self._service.handler_errors[:], []
        errors = [_explained(failure) for failure in failures]
        if len(errors) > 1:
            raise BaseExceptionGroup("event handlers raised", errors)
        if errors:
            raise errors[0]


def _uses_service(item: pytest.Item) -> bool:
    return FIXTURE in getattr(item, "fixturenames", ())


def _explained(failure: HandlerError) -> BaseException:
    """Return the error with the name of the handler; one that would end pytest as the cause of another."""
    error = failure.error
    handler = "an event handler" if failure.handler is None else f"the event handler {name_of(failure.handler)}"
    if isinstance(error, KeyboardInterrupt | SystemExit):
        fatal = AssertionError(f"{handler} raised {error!r}")
        fatal.__cause__ = error
        return fatal
    error.add_note(f"raised in {handler}")
    return error
