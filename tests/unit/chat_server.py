"""A chat endpoint on this machine that looks at the pictures it is sent, and may misbehave."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import semlens_widgets as slw
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COLOURS = ("red", "green", "blue")


@dataclass
class Asked:
    """One request, as the server got it."""

    path: str
    headers: dict[str, str]
    raw: bytes
    moment: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def text(self) -> str:
        return self.body["messages"][1]["content"][0]["text"]

    @property
    def grids(self) -> list[Image.Image]:
        urls = [part["image_url"]["url"] for part in self.body["messages"][1]["content"][1:]]
        assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
        return [Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]

    def colour(self) -> str:
        """Name the colour that the first grid has most more of than the second."""
        means = [np.asarray(grid, float).mean((0, 1)) for grid in self.grids]
        return COLOURS[int((means[0] - sum(means[1:])).argmax())]


@dataclass
class Reply:
    """What the server sends."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: Callable[[Callable[[bytes], object]], None] | None = None  # writes by and by


def said(text: Any, ended: str = "stop") -> Reply:
    """An answer of the model, in the form of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": ended}
    return Reply(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def refused(status: int, message: str, **headers: str) -> Reply:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps({"error": {"message": message}}).encode(), status, headers)


def looks(_number: int, asked: Asked) -> Reply:
    """Answer what the picture shows."""
    return said(asked.colour())


def closed_port() -> str:
    """An address of this machine where nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def colour_analysis(path: Path) -> slw.SemanticLens:
    """Run the colour world: of its seven neurons, "mixed" 0 has the examples of "seen" 0."""
    target = slw.TargetModel(ColourNet(), ["seen", "mixed"], transform=to_tensor, poles="positive")
    images = slw.ImageDataset.from_list(colour_images())
    return slw.SemanticLens(target, images, ColourFoundation(), path=path, n_examples=6).run()


@dataclass
class ChatServer:
    """What a test knows of the server: its address, what it was asked, and how much at once."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: Callable[[], None] = lambda: None


@contextmanager
def chat_server(play: Callable[[int, Asked], Reply]) -> Iterator[ChatServer]:
    """Serve on the loopback; `play` says what the n-th request is answered, in its own thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.path, dict(self.headers), raw)
            with server.lock:
                number = len(server.asked)
                server.asked.append(asked)
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
            try:
                reply = play(number, asked)
            finally:
                with server.lock:
                    server.at_once -= 1
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
                if reply.drip:
                    reply.drip(self.wfile.write)
            except OSError:  # the client did not wait
                pass

        do_GET = do_POST  # noqa: N815 - nobody gets, but whoever does is seen

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def stop() -> None:
        http.shutdown()
        http.server_close()

    server = ChatServer(f"http://127.0.0.1:{http.server_address[1]}/v1", stop=stop)
    try:
        yield server
    finally:
        stop()
        thread.join(5)
