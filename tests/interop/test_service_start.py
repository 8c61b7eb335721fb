"""The official SDK starts against the local service, is refused where it must be, and stops."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.interop.official import Official, OfficialError, eventually

Fresh = Callable[[str], str]
Connect = Callable[..., Official]


@pytest.mark.every_version
def test_reaches_initialized(official: Connect, fresh: Fresh) -> None:
    """A valid token leads to `initialized`, the own user and an empty list, without any error on the way."""
    alice = official(fresh("alice"))
    assert alice.state()["connectionState"] == "connected"
    assert [seen.data for seen in alice.events("stateChanged")] == ["initialized"]
    assert alice.events("connectionError") == []
    me = alice.user(alice.identity).look()
    assert (me["identity"], me["attributes"], me["isSubscribed"]) == (alice.identity, {}, True)
    page = alice.call("getSubscribedConversations")
    assert (page["items"], page["hasNextPage"], page["hasPrevPage"]) == ([], False, False)


def test_one_identity_connects_twice(official: Connect, fresh: Fresh) -> None:
    """A second client of the same person works beside the first, and its shutdown leaves the first alone."""
    identity = fresh("alice")
    first, second = official(identity), official(identity)
    second.call("getSubscribedConversations")
    second.ask("shutdown")
    second.wait_event("connectionStateChanged", lambda state: state == "disconnected")
    assert second.state()["sockets"] == 1
    assert first.state()["connectionState"] == "connected"
    assert first.call("createConversation")["sid"].startswith("CH")


@pytest.mark.every_version
def test_pings_of_the_service(official: Connect, fresh: Fresh, service: Any) -> None:
    """The SDK confirms each of the service's pings, and nothing else comes of them."""
    service.configure(ping_interval=0.05)
    try:
        alice = official(fresh("alice"))
        alice.call("getSubscribedConversations")

        def confirmed() -> bool:
            headers = [(seen["direction"], seen["header"]) for seen in service.traffic(alice.identity)]
            pings = {header["id"] for direction, header in headers if direction == "out" and header["method"] == "ping"}
            replies = {header["id"] for direction, header in headers if direction == "in" and header["method"] == "reply"}
            return len(pings & replies) > 2

        eventually(confirmed, "pings are confirmed")
    finally:
        service.configure(ping_interval=30)
    assert alice.state()["connectionState"] == "connected"
    assert alice.events("connectionError") == []


def forged(token: str, fault: str) -> str:
    """Return a token with one thing wrong."""
    header, claims, signature = token.split(".")
    if fault == "not a token":
        return "nonsense"
    if fault == "other signature":
        return f"{header}.{claims}.{signature[::-1]}"
    body = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    body["grants"]["identity"] = "somebody-else"
    changed = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
    if fault == "other claims":
        return f"{header}.{changed}.{signature}"
    unsigned = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"none"}').rstrip(b"=").decode()
    return f"{unsigned}.{claims}."


@pytest.mark.parametrize("fault", ["not a token", "other signature", "other claims", "no algorithm"])
def test_bad_token_is_refused_for_good(official: Connect, fresh: Fresh, service: Any, fault: str) -> None:
    """A token that is not ours is refused with 401, terminally: the SDK says so and does not try again."""
    mallory = fresh("mallory")
    refused = official(mallory, token=forged(service.token(mallory), fault), wait=False)
    error = refused.wait_event("connectionError", lambda data: data["terminal"])
    assert error["httpStatusCode"] == 401
    assert error["message"]
    refused.wait_event("initFailed")
    refused.wait_event("connectionStateChanged", lambda state: state == "denied")
    assert refused.events("initialized") == []
    assert refused.state()["sockets"] == 1


@pytest.mark.every_version
def test_expired_token_is_named(official: Connect, fresh: Fresh, service: Any) -> None:
    """An expired token is refused with code 20104, upon which the SDK fires `tokenExpired`."""
    identity = fresh("late")
    late = official(identity, token=service.token(identity, ttl=-60), wait=False)
    assert late.wait_event("connectionError", lambda data: data["terminal"])["errorCode"] == 20104
    late.wait_event("tokenExpired")


@pytest.mark.every_version
def test_new_token_on_the_same_socket(official: Connect, fresh: Fresh, service: Any) -> None:
    """`updateToken` is taken over the open connection; a token of a stranger is refused."""
    identity = fresh("alice")
    alice = official(identity)
    alice.call("updateToken", service.token(identity, ttl=1800))
    assert alice.state() | {"version": ""} == {"connectionState": "connected", "sockets": 1, "version": ""}
    with pytest.raises(OfficialError):
        alice.call("updateToken", forged(service.token(identity), "other signature"))


def test_short_token_is_announced(official: Connect, fresh: Fresh, service: Any) -> None:
    """A token near its end makes the service say so, and at its end the connection is closed as expired."""
    identity = fresh("brief")
    brief = official(identity, token=service.token(identity, ttl=8))
    brief.wait_event("tokenAboutToExpire")
    brief.wait_event("tokenExpired")
    brief.wait_event("connectionStateChanged", lambda state: state == "disconnected")
    mark = brief.mark()
    brief.call("updateToken", service.token(identity))
    brief.wait_event("connectionStateChanged", lambda state: state == "connected", since=mark)
