"""The reader that follows a page does what the page asks for, and stops where the page is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.following import DeviationError, follow
from tests.support.pages import blocks_of
from tests.support.patience import PATIENCE

PAGE = """# A page

```console
$ name=world
```

Save this as `folder/greet.sh`:

```sh
echo hello $1
```

Now add this at the end of
`folder/greet.sh`:

```sh
echo and good day
```

```console
$ sh folder/greet.sh $name
hello world
...day
```

In a second terminal, which stays busy:

```console
$ trap 'exit 0' INT
$ echo ready; read answer
ready
```

<!-- snippet: skip because it needs an account -->
```console
$ false
```

```python
import sys

print(sys.version_info >= (3, 11))
```

```output
True
```
"""
Read = Callable[[str], None]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Returns a function that follows a text."""

    def follow_text(text: str) -> None:
        page, folder = tmp_path / "page.md", tmp_path / "folder of the reader"
        page.write_text(text, encoding="utf-8")
        folder.mkdir()
        (folder / ".venv").symlink_to(sys.prefix)
        follow(page, folder, {}, PATIENCE)

    return follow_text


def test_a_page_that_is_right(read: Read, tmp_path: Path) -> None:
    """Files are saved, commands run with the variables of those before, and what was started beside them is ended."""
    read(PAGE)
    assert (tmp_path / "folder of the reader/folder/greet.sh").read_text("utf-8") == "echo hello $1\necho and good day\n"


@pytest.mark.parametrize(
    ("right", "wrong", "deviation"),
    [
        ("$ name=world", "$ name=moon", r"page.md:21: `sh .*` did not print\nhello world\n...day\nbut\nhello moon\n"),
        ("$ name=world", "$ false", r"page.md:4: `false` failed with 1"),
        ("$ name=world", "$ exit 0", r"page.md:4: `exit 0` did not end"),
        ("$ name=world", "name=world", r"page.md:4: does not begin with a command"),
        ("echo and", "eco and", r"page.md:21: `sh .*` failed with 127:\nhello world\n.*eco"),
        ("end of\n`folder", "end of\n`other", r"page.md:17: there is no other/greet.sh"),
        ("$ echo ready; read answer", "$ echo reddy", r"page.md:29: did not print\nready\nbut\nreddy\n"),
        ("$ trap 'exit 0' INT\n", "", r"page.md:2[89]: ended by SIGINT with -2"),
        (">= (3, 11)", "< (3, 11)", r"page.md:40: `.*` did not print\nTrue\nbut\nFalse"),
        ("print(", "printf(", r"(?s)page.md:40: `.*` failed with 1:.*line 42.*NameError"),
    ],
)
def test_a_page_that_is_wrong(read: Read, right: str, wrong: str, deviation: str) -> None:
    """The error has the line of the page, and what happened instead."""
    assert PAGE.count(right) == 1
    with pytest.raises(DeviationError, match=deviation):
        read(PAGE.replace(right, wrong))


def test_replacements_are_found(tmp_path: Path) -> None:
    """A text that should be replaced and is not in the page is an error: what the page asks for has changed."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ false\n```\n", encoding="utf-8")
    follow(page, tmp_path, {"false": "true"}, PATIENCE)
    with pytest.raises(DeviationError, match=r"page.md: has no 'false or not'"):
        follow(page, tmp_path, {"false or not": "true"}, PATIENCE)


def test_what_stands_above_a_block() -> None:
    """Only the paragraph directly above a block counts."""
    save, skip = "Save this as `a.py`:", "<!-- snippet: skip because it needs an account -->"
    pages = [f"{save}\n\n```python\n```", f"{save}\n\nText.\n\n```python\n```", f"{save}\n\n{skip}\n```python\n```"]
    (saved,), (plain,), (skipped,) = (blocks_of(page) for page in pages)
    assert (saved.file, saved.skipped, saved.is_added, saved.terminal) == ("a.py", False, False, "first")
    assert (plain.file, plain.skipped) == (None, False)
    assert (skipped.file, skipped.skipped) == (None, True)
