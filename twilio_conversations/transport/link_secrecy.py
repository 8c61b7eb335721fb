"""Redaction of URLs in logs: the query of a temporary link gives access to the content.

urllib3 logs the path and the query of each request at DEBUG, on loggers that belong to the whole process. A filter there removes
queries from the records that a thread causes while it is inside `queries_unlogged`; records of the program's own requests pass
unchanged.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Iterator
from typing import Final

_LOGGERS: Final = (
    "requests.adapters",
    "requests.sessions",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)
"""Filters of a logger do not see the records of those below it: each that could name a URL."""

_QUERY: Final = re.compile(r"(?<=[^\s?])\?[^\s?'\"<>()]+")


def without_queries(text: str) -> str:
    """Return `text` with ``?...`` for the queries of the URLs and paths in it."""
    return _QUERY.sub("?...", text)


def without_url(error: BaseException) -> BaseException:
    """Return the outermost of the errors wrapped in `error` without a query in its text; a redacted one if all have queries.

    urllib3 and requests put the whole URL into the errors that wrap what went wrong, and tracebacks show these.
    """
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        if not any(_QUERY.search(str(one)) for one in _shown_with(following)):
            return following
        seen.append(following)
        wrapped = (getattr(following, "reason", None), *following.args, following.__cause__, following.__context__)
        following = next((one for one in wrapped if isinstance(one, BaseException)), None)
    return RuntimeError(f"{type(error).__name__}: {without_queries(str(error))}")


def _shown_with(error: BaseException) -> Iterator[BaseException]:
    """Return the errors that a traceback of `error` shows: it, and those that led to it."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        yield following
        seen.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


class _Here(threading.local):
    """Whether this thread is making a request of ours."""

    inside = False


class _Redaction(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without queries if it is about a request of ours."""
        if _here.inside:
            with contextlib.suppress(Exception):  # arguments that do not fit: logging itself reports that
                record.msg, record.args = without_queries(record.getMessage()), ()
        return True


_here = _Here()
_redaction: Final = _Redaction()


@contextlib.contextmanager
def queries_unlogged() -> Iterator[None]:
    """Remove queries from what urllib3 and requests log on this thread while the block runs."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_redaction)  # once each; a program that cleared its filters gets it back
    before, _here.inside = _here.inside, True
    try:
        yield
    finally:
        _here.inside = before
