"""Other regions than us1: each part of the service has a host of its own there, and each host gets what is its part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from tests.support.addresses import resolve
from tests.support.certificates import Authority
from tests.support.patience import PATIENCE
from tests.support.proxies import TlsFront
from twilio_conversations import Client
from twilio_conversations.options import Endpoints
from twilio_conversations.server import LocalServer
from twilio_conversations.tokens import mint


def hosts(service: LocalServer) -> dict[str, set[str]]:
    """The hosts that requests in the tunnel name, by the first part of their paths."""
    found: dict[str, set[str]] = {}
    for frame in service.traffic("alice"):
        request: dict[str, Any] = frame["header"].get("http_request", {})
        if frame["direction"] == "in" and request:
            found.setdefault(request["path"].split("/")[1], set()).add(request["host"])
    return found


def use(client: Client, expected_media: bytes) -> None:
    """Send a message with a medium, and read it."""
    client.wait_until_ready(PATIENCE)
    room = client.create_conversation().join()
    room.typing()
    message = room.send_message("hello", media=("a.txt", expected_media, "text/plain"))
    assert message.attached_media[0].read() == expected_media


def test_a_region_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Twilio's own names, over TLS, on several ports of this machine; the token names the region."""
    authority = Authority(tmp_path)
    session = requests.Session()
    session.verify = authority.bundle
    with (
        LocalServer(trusted_proxies=["127.0.0.1"]) as service,
        TlsFront(service.port, authority.server_context("tsock.ie1.twilio.com")) as tsock,
        TlsFront(service.port, authority.server_context("mcs.ie1.twilio.com")) as mcs,
    ):
        resolve(monkeypatch, tsock_ie1_twilio_com=[("127.0.0.1", tsock.port)], mcs_ie1_twilio_com=[("127.0.0.1", mcs.port)])
        keys = service.credentials
        token = mint(
            "alice",
            account_sid=keys.account_sid,
            api_key_sid=keys.api_key_sid,
            api_key_secret=keys.api_key_secret,
            service_sid=keys.service_sid,
            region="ie1",
        )
        assert jwt.get_unverified_header(token)["twr"] == "ie1"
        with Client(token, region="ie1", session=session) as client:
            use(client, b"of the media host")

        assert hosts(service) == {
            "Client": {"aim.ie1.twilio.com"},
            "v1": {"aim.ie1.twilio.com"},
            "v3": {"cds.ie1.twilio.com"},
            "v4": {"cds.ie1.twilio.com"},
        }


def test_each_address_by_itself() -> None:
    """Several hosts without Twilio's names; a configuration that leaves out media has them where the endpoints say."""
    settings = {"links_left_out": ["media_service", "media_set_service"]}
    with LocalServer(settings=settings) as service:
        endpoints = Endpoints(
            twilsock=f"ws://127.0.0.1:{service.port}/v3/wsconnect",
            api="http://localhost:1",
            sync="http://localhost:2",
            registrations="http://localhost:3/v1/registrations",
            media=service.url,
        )
        with Client(service.token("alice"), endpoints=endpoints) as client:
            use(client, b"of the media endpoint")

        found = hosts(service)
        assert found["v3"] == {"localhost:2"}
        assert "localhost:1" in found["Client"]
