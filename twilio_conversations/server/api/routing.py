"""Routes as data: every API has a table of them, and a route is found by the segments of a request's path.

A service has one table of all its APIs, for the tunnel and for plain HTTP; other paths do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MethodType
from typing import ClassVar, Protocol

import attrs

from twilio_conversations.server.calls import Caller, Request, Response, split_path
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.writer import Command

Handler = Callable[..., Response | Command]
"""Function of API, caller, request and parameters that returns the answer, or the command for it. Raises `Refusal`."""
ANY = "*"
"""Matches every method without a route of its own."""


@attrs.frozen
class Route:
    """Handler of `method` on paths like `template`, in which ``{name}`` stands for one segment: a parameter."""

    method: str
    template: str
    handler: Handler = attrs.field(repr=False)


@attrs.define
class _Node:
    """A node in the tree of paths. Its children have names, or there is one child for every segment."""

    names: dict[str, _Node] = attrs.field(factory=dict)
    parameter: _Node | None = None
    handlers: dict[str, Handler] = attrs.field(factory=dict)


class Api(Protocol):
    """An object with a table of routes to its methods."""

    ROUTES: ClassVar[tuple[Route, ...]]


class Table:
    """All routes of a service: `routes`, one for each method and template."""

    def __init__(self, apis: Iterable[Api], known: Mapping[str, str]) -> None:
        """Collect the routes. Parameters in `known` have one value and are not passed on.

        Raises:
            ValueError: two routes are ambiguous.
        """
        self.routes: list[Route] = []
        self._known = known
        self._root = _Node()
        for api in apis:
            for route in api.ROUTES:
                self._add(api, route)

    def _add(self, api: Api, route: Route) -> None:
        node = self._root
        for segment in split_path(route.template):
            node = self._child(node, segment)
        if route.method in node.handlers:
            raise ValueError(f"{route.method} {route.template} is there twice")
        node.handlers[route.method] = MethodType(route.handler, api)
        self.routes.append(route)

    def _child(self, node: _Node, segment: str) -> _Node:
        name = segment[1:-1] if segment[:1] == "{" else ""
        if name and name not in self._known:
            node.parameter = child = node.parameter or _Node()
        else:
            child = node.names.setdefault(self._known.get(name, segment), _Node())
        if node.parameter is not None and node.names:
            raise ValueError(f"{segment} stands where another route has a parameter or a name")
        return child

    def has(self, path: Sequence[str]) -> bool:
        """Return whether there is a route for this path, with any method."""
        try:
            node, _ = self._walk(path)
        except Refusal:
            return False
        return bool(node.handlers)

    def answer(self, caller: Caller, request: Request) -> Response | Command:
        """Return the answer, or the command for it. Raises `Refusal`, 20404 when there is no such route."""
        handler, parameters = self._find(request.method, request.path)
        return handler(caller, request, *parameters)

    def _find(self, method: str, path: Sequence[str]) -> tuple[Handler, list[str]]:
        node, parameters = self._walk(path)
        handler = node.handlers.get(method) or node.handlers.get(ANY)
        if handler is None:
            raise Refusal(20404)
        return handler, parameters

    def _walk(self, path: Sequence[str]) -> tuple[_Node, list[str]]:
        """Return the node of a path, and its parameters. Raises `Refusal` 20404."""
        node, parameters = self._root, []
        for segment in path:
            child = node.names.get(segment)
            if child is None:
                child = node.parameter
                if child is None:
                    raise Refusal(20404)
                parameters.append(segment)
            node = child
        return node, parameters
