"""Seed files: reading JSON and YAML, and the lines of invalid entries."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import attrs

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.util.os_errors import file_errors

Steps = tuple[str | int, ...]
"""The path of a value: names in objects, numbers in lists."""
_YAML = (".yaml", ".yml")
_BLANKS = " \t\r\n"


@attrs.frozen
class SeedFile:
    """The contents of a seed file: its data, and its text to find lines in."""

    path: Path
    text: str
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> SeedFile:
        """Read a JSON file or, where PyYAML is installed, a YAML file (``.yaml``, ``.yml``).

        Raises:
            FileError: it cannot be read.
            InvalidArgumentError: it holds something else, or PyYAML is missing; the text names file and line.
        """
        with file_errors():
            content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise InvalidArgumentError(f"{path}:{line}: not UTF-8: {error.reason}") from error
        value = _yaml(path, text) if _is_yaml(path) else _json(path, text)
        if not isinstance(value, dict):
            raise InvalidArgumentError(f"{path}:1: not an object with 'conversations', 'users', ...")
        return cls(path, text, value)

    def line_of(self, steps: Steps) -> int:
        """Return the line on which a value begins; for a missing value, that of its parent."""
        return _yaml_line(self.text, steps) if _is_yaml(self.path) else _json_line(self.text, steps)


def _is_yaml(path: Path) -> bool:
    return path.suffix.lower() in _YAML


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidArgumentError(f"{path}:{error.lineno}: not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise InvalidArgumentError(f"{path}: nested too deeply") from error


def _yaml(path: Path, text: str) -> Any:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise InvalidArgumentError(f"{path}: reading YAML needs PyYAML: pip install pyyaml") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise InvalidArgumentError(f"{place}: not YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError as error:
        raise InvalidArgumentError(f"{path}: nested too deeply") from error


def _yaml_line(text: str, steps: Steps) -> int:
    yaml = importlib.import_module("yaml")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line: int = node.start_mark.line
    for step in steps:
        children = enumerate(node.value) if isinstance(step, int) else ((key.value, value) for key, value in node.value)
        found = next((child for name, child in children if name == step), None)
        if found is None:
            break
        node, line = found, found.start_mark.line
    return line + 1


def _json_line(text: str, steps: Steps) -> int:
    """Return the line of a value in valid JSON."""
    at = _skip(text, 0)
    for step in steps:
        found = _enter(text, at, step)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _enter(text: str, at: int, step: str | int) -> int | None:
    """Return the position of a member of the object or list at `at`; `None` if it is missing."""
    scan = json.JSONDecoder(strict=False).raw_decode
    is_object, number = text[at] == "{", 0
    at = _skip(text, at + 1)
    while text[at] not in "]}":
        name: Any = number
        if is_object:
            name, at = scan(text, at)
            at = _skip(text, _skip(text, at) + 1)  # the colon
        if name == step:
            return at
        _, at = scan(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        number += 1
    return None


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANKS:
        at += 1
    return at
