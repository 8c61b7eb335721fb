"""Addresses and options: what a person may write, and what is refused at once in words."""

from __future__ import annotations

import math
from typing import Any, get_type_hints

import attrs
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations import BackoffPolicy, Client, Endpoints, Options
from twilio_conversations.errors import ArgumentTypeError, ConversationsError, InvalidArgumentError
from twilio_conversations.options import ENDPOINT_VARIABLE, OptionFields


def test_one_endpoint_gives_every_address() -> None:
    """A local service answers everything at one place."""
    endpoints = Endpoints.for_base("http://127.0.0.1:8089/")

    assert endpoints.twilsock == "ws://127.0.0.1:8089/v3/wsconnect"
    assert Endpoints.for_base("https://h").twilsock == "wss://h/v3/wsconnect"
    assert endpoints.api == endpoints.sync == endpoints.media == "http://127.0.0.1:8089"


@pytest.mark.parametrize("address", ["", "127.0.0.1:8089", "ws://h", "http://", "http://h?x=1"])
def test_an_endpoint_that_is_no_address_is_refused(address: str) -> None:
    """The error comes from the constructor, not from a connection that never succeeds."""
    with pytest.raises(InvalidArgumentError):
        Endpoints.for_base(address)


def test_the_environment_names_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address the environment is asked; an explicit one wins."""
    monkeypatch.setenv("TWILIO_CONVERSATIONS_ENDPOINT", "http://127.0.0.1:1")

    assert Endpoints.choose(None, None, None).api == "http://127.0.0.1:1"
    assert Endpoints.choose("ie1", None, None).api == "https://aim.ie1.twilio.com"
    with pytest.raises(InvalidArgumentError):
        Endpoints.choose("us1", "http://h", None)


@pytest.mark.parametrize("wrong", [{"default_timeout": 0}, {"max_pending_events": -1}, {"resend": "often"}, {"resend": []}])
def test_values_that_cannot_work(wrong: dict[str, Any]) -> None:
    """A value that cannot work is refused."""
    with pytest.raises(InvalidArgumentError):
        Options(endpoints=Endpoints.for_region("us1"), **wrong)
    with pytest.raises(InvalidArgumentError):
        BackoffPolicy(minimum=0)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTP://LocalHost:8089", "http://localhost:8089"),
        ("http://127.0.0.1:8089/", "http://127.0.0.1:8089"),
        ("https://Example.COM/Base/", "https://example.com/Base"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://my_service:80", "http://my_service:80"),
        ("http://h:", "http://h"),
        ("http://münchen.example", "http://münchen.example"),
    ],
)
def test_scheme_and_host_have_one_spelling(written: str, meant: str) -> None:
    """Capitals mean nothing there; a path keeps its own."""
    endpoints = Endpoints.for_base(written)
    assert endpoints.api == meant
    assert endpoints.twilsock == f"ws{meant.removeprefix('http')}/v3/wsconnect"
    assert Endpoints(endpoints.twilsock.upper().replace("/V3/WSCONNECT", "/v3/wsconnect"), *[written] * 4).media == meant


WRONG = {
    "http://h:99999": "Port out of range",
    "http://h:x": "no address",
    "http://h:-1": "no address",
    "http://h:0": "port 0",
    "http://[::1": "no address",
    " http://h": "blank",
    "http://h ": "blank",
    "http://h\n": "blank",
    "http://h\x00": "blank",
    "http://ho st": "blank",
    "http://user:geheim@h": "without user and password",
    "http://user:ge/heim@h": "without user and password",
    "http://geheim@h": "without user and password",
    "ftp://h": "must look like",
    "h:80": "must look like",
    "http:///x": "must look like",
    "http://h?": "must look like",
    "http://h/#x": "must look like",
    "http://a..b": "must look like",
    "http://" + "a" * 70: "must look like",
    "http://a\\b": "must look like",
}


@pytest.mark.parametrize("address", WRONG, ids=repr)
def test_an_address_that_cannot_be_is_refused_in_words(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the constructor, by `Endpoints` and from the environment, which is named then; a password is never repeated."""
    with pytest.raises(InvalidArgumentError, match=WRONG[address]) as first:
        Endpoints.for_base(address)
    with pytest.raises(InvalidArgumentError, match=WRONG[address].replace("must look like", "must")) as second:
        Endpoints(*["ws://h", *[address] * 4])
    with pytest.raises(InvalidArgumentError):
        Endpoints(address.replace("http", "ws"), *["http://h"] * 4)
    texts = [str(first.value), str(second.value)]
    if "\0" not in address:
        monkeypatch.setenv(ENDPOINT_VARIABLE, address)
        with pytest.raises(InvalidArgumentError, match=ENDPOINT_VARIABLE) as third:
            Client("not reached")
        texts.append(str(third.value))
    assert "heim" not in "".join(texts)


@pytest.mark.parametrize("wrong", [5, b"http://h", ["http://h"], object(), math.nan])
def test_an_address_of_another_type_is_refused(wrong: Any) -> None:
    """As a `TypeError` too."""
    for make in (Endpoints.for_base, Endpoints.for_region, lambda value: Endpoints.choose(None, None, value)):
        with pytest.raises(ArgumentTypeError):
            make(wrong)
    with pytest.raises(InvalidArgumentError):
        Endpoints.for_region("us1/../evil.example")


@given(st.text())
def test_whatever_is_given_as_an_address_there_is_one_kind_of_error(text: str) -> None:
    """It is an address, or refused."""
    for candidate in (text, f"http://{text}"):
        try:
            assert Endpoints.for_base(candidate).api.startswith(("http://", "https://"))
        except InvalidArgumentError:
            pass


def test_the_typed_options_are_the_options() -> None:
    """What a type checker lets through by name is what there is, with the same types."""
    hints = get_type_hints(Options)
    assert get_type_hints(OptionFields) == {
        field.name: hints[field.name] for field in attrs.fields(Options) if field.name != "endpoints"
    }


VALUES = [None, "1", b"1", -1, math.nan, math.inf, 10**400, 10**5000, [], {}, object(), {"a": object()}, {1: 2}, "\ud800", True]


@pytest.mark.parametrize("field", attrs.fields(Options), ids=lambda field: field.name)
def test_an_option_that_cannot_be_is_refused(field: attrs.Attribute[Any]) -> None:
    """Whatever an option is given, the client is made or says what is wrong; nothing is left for its threads to find."""
    refused = 0
    for value in VALUES:
        given: dict[str, Any] = {"endpoints": Endpoints.for_region("us1"), field.name: value}
        try:
            Options(**given)
        except InvalidArgumentError as error:
            refused += field.name in str(error)
    assert refused > len(VALUES) / 2


@pytest.mark.parametrize("field", attrs.fields(BackoffPolicy), ids=lambda field: field.name)
def test_a_delay_that_cannot_be_is_refused(field: attrs.Attribute[Any]) -> None:
    """The delays are reckoned with on the client's own thread."""
    for value in [value for value in VALUES if value is not True]:
        with pytest.raises(InvalidArgumentError, match=field.name):
            BackoffPolicy(**{field.name: value})  # type: ignore[arg-type]


def test_a_session_must_be_one() -> None:
    """Anything else would be found when the first medium moves."""
    for wrong in (requests, "session", requests.Session):
        with pytest.raises(ArgumentTypeError, match="session"):
            Client("not reached", session=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConversationsError, match="not a JWT"):
        Client("not a token", session=requests.Session())
