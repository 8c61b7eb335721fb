"""The origin of web apps: static pages, and the official SDK's own bundles as npm has installed them."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

BUNDLE = "builds/twilio-conversations.js"


class Site:
    """Serves `pages` at ``/``, and the bundle of a version at ``/sdk/<version>.js``, on ``http://localhost:<port>``."""

    def __init__(self, pages: Path, modules: Path) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, pages, modules))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, pages: Path, modules: Path, *args: object) -> None:
        self._modules = modules
        super().__init__(*args, directory=str(pages))  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """Find the file of a path."""
        plain = path.partition("?")[0]
        if plain.startswith("/sdk/"):
            return str(self._modules / f"conversations-{Path(plain).stem}" / BUNDLE)
        return super().translate_path(path)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""
