"""What `.ci/run` does, in parts and for every installed Python: ``nox``, ``nox -s lint``, ``nox -s tests-3.12 -- tests/wire``."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "docs", "tests"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
IN_PARALLEL = ["-n", "4", "--dist", "loadfile"]
MEET_A_DEPENDENCY = [
    f"tests/{folder}" for folder in ("cli", "client", "events", "media", "models", "server", "transport", "values")
]
"""Folders of tests whose subject meets a dependency, as in `.ci/run`."""


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, or those that are named."""
    session.install("--editable", ".[test]")
    session.run("pytest", *(session.posargs or IN_PARALLEL))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, types and the directions of imports."""
    session.install("--editable", ".[test,dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("lint-imports", ".ci/circles.toml")


@nox.session
def types(session: nox.Session) -> None:
    """Check that every exported type is known (needs Node.js)."""
    session.install("--editable", ".[test]")
    session.run("python", ".ci/types")


@nox.session
def coverage(session: nox.Session) -> None:
    """Check the floors of coverage, of all folders or of those that are named."""
    session.install("--editable", ".[test]")
    session.run(".ci/coverage", *session.posargs, env={"PYTHON": "python"}, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the docs."""
    session.install("--editable", ".[docs]")
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the fast tests with the lowest versions of the dependencies."""
    constraints = session.create_tmp() + "/lowest.txt"
    with open(constraints, "w", encoding="utf-8") as file:
        session.run("python", ".ci/lowest", stdout=file)
    session.install("--editable", ".[unit]", "--constraint", constraints)
    session.run("pytest", "-m", "not slow", *(session.posargs or [*IN_PARALLEL, *MEET_A_DEPENDENCY]))
