"""A program on asyncio: calls by `to_thread`, events handed to the loop, and Ctrl-C, as the guide has it."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from tests.client.test_interrupts import Script
from tests.support.patience import PATIENCE
from twilio_conversations import Client, ClientClosedError, Message, RequestTimeoutError
from twilio_conversations.server import LocalServer

PROGRAM = """
import asyncio
import signal

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    with Client(token, endpoint=url, auto_connect=False) as client:
        client.connect()
        await asyncio.to_thread(client.wait_until_ready)
        here()
        {wait}

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("stopped")
"""
WAITS = {
    "wait": "await asyncio.to_thread(client.wait)",
    "wait_for": 'await asyncio.to_thread(client.wait_for, "message_added")',
    "sleep": "await asyncio.sleep(60)",
    "tasks": 'await asyncio.gather(*(asyncio.to_thread(client.wait_for, "message_added") for _ in range(3)))',
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_ctrl_c(service: LocalServer, fresh: Any, wait: str) -> None:
    """`asyncio.run` cancels the task, the `with` closes the client, and the threads of `to_thread` end: at once."""
    script = Script(service, fresh("alice"), service.url, PROGRAM.replace("{wait}", wait))
    script.wait_until_here()
    script.interrupt()
    assert script.end() == (0, "stopped\n", "")


def test_sigterm(service: LocalServer, fresh: Any) -> None:
    """The task is cancelled as by Ctrl-C; the exception that the program sees is the task's own."""
    text = PROGRAM.replace("{wait}", WAITS["wait"]).replace("KeyboardInterrupt", "asyncio.CancelledError")
    script = Script(service, fresh("alice"), service.url, text)
    script.wait_until_here()
    script.interrupt(signal.SIGTERM)
    assert script.end() == (0, "stopped\n", "")


def test_events_come_to_the_loop_in_order(service: LocalServer, fresh: Any) -> None:
    """Handed over with `call_soon_threadsafe`, while calls run beside them."""

    async def main() -> list[str | None]:
        loop, messages = asyncio.get_running_loop(), asyncio.Queue[Message]()
        with Client(service.token(fresh("alice")), endpoint=service.url, auto_connect=False) as client:
            client.on("message_added", lambda message: loop.call_soon_threadsafe(messages.put_nowait, message))
            client.connect()
            room = await asyncio.to_thread(client.create_conversation)
            await asyncio.to_thread(room.join)
            for number in range(20):
                await asyncio.to_thread(room.send_message, str(number))
            return [(await asyncio.wait_for(messages.get(), PATIENCE)).body for _ in range(20)]

    assert asyncio.run(main()) == [str(number) for number in range(20)]


def test_a_cancelled_task_leaves_the_call_to_its_own_time_limit(service: LocalServer, fresh: Any) -> None:
    """The thread is not interrupted; the call ends by `timeout=`, or when the client is closed."""

    async def main() -> list[type]:
        with Client(service.token(fresh("alice")), endpoint=service.url) as client:
            await asyncio.to_thread(client.wait_until_ready)
            loop, entered, outcomes = asyncio.get_running_loop(), asyncio.Event(), list[type]()

            def call(timeout: float | None) -> None:
                loop.call_soon_threadsafe(entered.set)
                try:
                    client.wait_for("message_added", timeout=timeout)
                except Exception as error:
                    outcomes.append(type(error))

            for timeout in (0.2, None):
                task = asyncio.create_task(asyncio.to_thread(call, timeout))
                await asyncio.wait_for(entered.wait(), PATIENCE)
                entered.clear()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while not outcomes:
                await asyncio.sleep(0.01)
        await loop.shutdown_default_executor()
        return outcomes

    assert asyncio.run(main()) == [RequestTimeoutError, ClientClosedError]
