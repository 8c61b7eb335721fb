"""Names for what the program gave us, safe on any thread: no code of the program's is run for them, or its faults stay here."""

from __future__ import annotations

import functools
import types
from typing import Any

__all__ = ["innermost", "name_of", "said", "shown"]


def name_of(function: Any) -> str:
    """Return the qualified name of a callable; of an object that is called, the name of its class. Runs no code of theirs."""
    inner = innermost(function)
    if isinstance(inner, types.FunctionType | types.BuiltinFunctionType):
        return inner.__qualname__
    if isinstance(inner, type):
        return inner.__name__
    return f"an object of {type(inner).__qualname__}"


def innermost(function: Any) -> Any:
    """Return the function inside of bound methods and `functools.partial`."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        else:
            return function


def shown(value: object) -> str:
    """Return ``repr(value)``, or the name of the class where the program's own `__repr__` raises."""
    try:
        return repr(value)
    except BaseException:
        return f"<{type(value).__qualname__} whose repr raises>"


def said(error: BaseException) -> str:
    """Return the class and the text of an exception, or the class alone where the program's own `__str__` raises."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:
        return type(error).__name__
