"""Paths that the service does not have say so, to programs and to pages."""

from __future__ import annotations

import pytest
import requests

from tests.server.peer import TIMEOUT
from twilio_conversations.server import LocalServer

PAGE = {"Origin": "http://localhost:3000"}
REST = ["/v1/Conversations", "/v1/Services/IS1/Conversations/CH1/Messages", "/2010-04-01/Accounts/AC1.json", "/v2/Services"]
ELSEWHERE = ["/", "/favicon.ico", "/Client/v2/Nothing", "/Client/v1/Configuration", "/v3/nothing", "/v4/"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*REST, *ELSEWHERE])
def test_absent_paths(service: LocalServer, path: str, method: str) -> None:
    """Without a token, with one and with basic authentication: 404, readable by pages, with the way to the page of limits."""
    for headers, auth in ((PAGE, None), (PAGE | {"X-Twilio-Token": service.token("alice")}, None), (PAGE, service.api_key)):
        answer = requests.request(method, service.url + path, headers=headers, auth=auth, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "local-service.md" in answer.json()["message"]
        assert ("REST API" in answer.json()["message"]) == (path in REST)


@pytest.mark.parametrize("path", [*REST, *ELSEWHERE])
def test_browsers_may_ask_for_absent_paths(service: LocalServer, path: str) -> None:
    """The preflight is answered, or a page would never see the 404."""
    ask = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = requests.options(service.url + path, headers=ask, timeout=TIMEOUT)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_the_address_of_the_websocket(service: LocalServer) -> None:
    """Whoever opens the websocket's address by HTTP is told what it is."""
    answer = requests.get(f"{service.url}/v3/wsconnect", timeout=TIMEOUT)
    assert answer.status_code == 404
    assert "websocket" in answer.json()["message"]


def test_faults_of_media_are_readable_by_pages(service: LocalServer) -> None:
    """A refusal that was ordered comes to a page as a refusal, not as a violation of CORS."""
    service.faults.refuse(status=503, path="/v1/Services/.*/Media$", method="POST")
    try:
        answer = requests.post(f"{service.url}/v1/Services/IS1/Media", headers=PAGE, timeout=TIMEOUT)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (503, "*")
    finally:
        service.faults.clear()
