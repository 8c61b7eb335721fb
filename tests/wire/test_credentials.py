"""What is known of tokens: which one is in use, and which the provider's next may not be."""

from __future__ import annotations

from typing import Any

import pytest

from twilio_conversations import tokens
from twilio_conversations.errors import TokenError
from twilio_conversations.wire.credentials import Credentials, RefusedToken

NOW = 1_700_000_000.0


def token(identity: str = "alice", *, service_sid: str = "IS1", ttl: float = 3600) -> str:
    """Return a token that was issued at `NOW`, different each time."""
    secret = "s" * 32
    return tokens.mint(
        identity, account_sid="AC1", api_key_sid="SK1", api_key_secret=secret, service_sid=service_sid, ttl=ttl, now=NOW
    )


def using(accepted: str) -> Credentials:
    """Return credentials whose first token was accepted."""
    credentials = Credentials(accepted, refreshable=True)
    credentials.send()
    credentials.accept()
    return credentials


def refuse(credentials: Credentials, *, expired: bool) -> None:
    """Have the service refuse the token that was sent last, and end the connection over it."""
    credentials.refuse(credentials.sent, expired=expired)
    credentials.reject()


def test_an_accepted_token_is_in_use() -> None:
    """Before that no token is, and the holder is unknown."""
    mine = token()
    fresh = Credentials(mine, refreshable=True)
    assert (fresh.in_use, fresh.holder) == (None, None)
    credentials = using(mine)
    assert (credentials.in_use, credentials.holder) == (mine, tokens.read(mine))


def test_a_token_that_was_called_expired_is_in_use_again_once_it_is_accepted() -> None:
    """A mere request can be refused for expiry while the connection lasts: then the token is the current one all the same."""
    mine = token()
    credentials = using(mine)
    credentials.refuse(mine, expired=True)
    assert [credentials.in_use, credentials.current] == [None, mine]
    assert credentials.refused == RefusedToken(mine, expired=True)
    credentials.send()
    credentials.accept()
    assert credentials.in_use == mine


def test_the_refusal_of_another_token_leaves_the_one_in_use() -> None:
    """An update that fails is no reason to ask who the client is."""
    mine = token()
    credentials = using(mine)
    credentials.replace(token("bob"))
    credentials.send()
    refuse(credentials, expired=False)

    assert credentials.in_use == mine


def test_a_refused_token_is_not_in_use_though_a_newer_one_is_at_hand() -> None:
    """What may be sent next is judged as at the start."""
    mine, newer = token(), token()
    credentials = using(mine)
    credentials.send()
    credentials.replace(newer)
    credentials.reject()
    assert credentials.in_use is None
    credentials.send()
    refuse(credentials, expired=False)

    assert credentials.judge(newer, NOW) == newer


def test_a_token_that_cannot_be_read_keeps_the_holder() -> None:
    """Its identity is unknown, and the client's has not changed."""
    mine = token()
    credentials = using(mine)
    credentials.replace("opaque")
    credentials.send()
    credentials.accept()

    assert credentials.in_use == "opaque"
    assert credentials.holder == tokens.read(mine)


@pytest.mark.parametrize("given", [None, 17, b"bytes", "", "no JWT"], ids=repr)
def test_what_is_no_token_is_not_sent(given: Any) -> None:
    """Whatever a provider returns."""
    with pytest.raises(TokenError):
        Credentials(None, refreshable=True).judge(given, NOW)


def test_any_token_may_be_the_first() -> None:
    """One that looks expired too: the clock here may be wrong."""
    old = token(ttl=10)

    assert Credentials(None, refreshable=True).judge(old, NOW + 3600) == old


@pytest.mark.parametrize(
    ("unfit", "words"),
    [
        (token("bob"), "for 'bob'"),
        (token(service_sid="IS2"), "for service IS2"),
        (token(ttl=10), "has expired"),
    ],
)
def test_a_token_that_cannot_follow_the_one_in_use_is_not_sent(unfit: str, words: str) -> None:
    """Of another identity or service, or expired while the one in use is not."""
    with pytest.raises(TokenError, match=words):
        using(token()).judge(unfit, NOW + 60)


def test_the_token_in_use_may_be_given_again() -> None:
    """It renews nothing, but does no harm."""
    mine = token(ttl=10)

    assert using(mine).judge(mine, NOW + 60) == mine


def test_a_token_that_was_called_expired_is_never_sent_again() -> None:
    """Whether another is in use or not."""
    mine = token()
    credentials = using(mine)
    credentials.refuse(mine, expired=True)

    with pytest.raises(TokenError, match="called expired"):
        credentials.judge(mine, NOW)


def test_a_refused_token_is_sent_again_only_while_none_is_in_use() -> None:
    """At the start the clocks of backend and service may differ."""
    first = token()
    credentials = Credentials(first, refreshable=True)
    credentials.send()
    refuse(credentials, expired=False)
    assert credentials.judge(first, NOW) == first
    mine = token()
    credentials.replace(mine)
    credentials.send()
    credentials.accept()

    with pytest.raises(TokenError, match="that the service refused"):
        credentials.judge(first, NOW)
