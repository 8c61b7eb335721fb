"""The ASGI application: plain HTTP and WebSocket, sessions, admission, who is connected, recorded traffic."""
