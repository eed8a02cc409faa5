"""One address that answers HTTP, asked with a key that is never shown."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOSTED = "api.openai.com"
_HOSTED_VARIABLE = "OPENAI_API_KEY"
_MOST_BYTES = 1 << 20  # of a reply that is read
_MOST_SHOWN = 200  # characters of a server's own words
_HIDDEN = "<hidden>"


class Key:
    """A secret: it shows itself to no reader, and can be neither pickled nor copied.

    Parameters
    ----------
    secret
        May be empty: no key.

    Raises
    ------
    ValueError
        If it holds what no key does. The message does not say what.
    """

    __slots__ = ("__secret",)

    def __init__(self, secret: str) -> None:
        fits = isinstance(secret, str) and secret.isascii() and secret.strip().isprintable()
        self.__secret = secret.strip() if fits else ""
        del secret  # a traceback may show what a function holds
        if not fits or " " in self.__secret:
            self.__secret = ""
            raise ValueError("api_key: a key is printable ASCII without blanks; this is not.")

    def __repr__(self) -> str:
        return _HIDDEN if self.__secret else "<none>"

    def __bool__(self) -> bool:
        return bool(self.__secret)

    def __reduce__(self) -> Any:
        raise TypeError("A key is not pickled or copied: give it again where it is needed.")

    def header(self) -> dict[str, str]:
        """Return the header that shows it to the server."""
        return {"Authorization": f"Bearer {self.__secret}"} if self.__secret else {}

    def hide(self, text: str) -> str:
        """Return a text without it, however it is spelt."""
        if not self.__secret:
            return text
        return re.sub(re.escape(self.__secret), _HIDDEN, text, flags=re.IGNORECASE)


def key_of(api_key: Key | None, variable: str | None, base_url: str) -> Key:
    """Return the key for a server: the one given, or that of an environment variable.

    ``OPENAI_API_KEY`` is read for the server that it is for; any other must be named, so that no
    server is shown the key of another.

    Raises
    ------
    ValueError
        If the variable named is not set, or the key would be sent over an open line.
    """
    if api_key is None:
        if variable is None:
            variable = _HOSTED_VARIABLE if urlsplit(base_url).hostname == _HOSTED else ""
        elif not os.environ.get(variable):
            raise ValueError(f"key_variable: the environment variable {variable!r} is not set.")
        api_key = Key(os.environ.get(variable, ""))
    address = urlsplit(base_url)
    if api_key and address.scheme == "http" and not _is_here(address.hostname or ""):
        raise ValueError(
            f"base_url: {address.hostname!r} would get the key over an open line; use https, or "
            "give no key."
        )
    return api_key


def checked_address(base_url: str) -> str:
    """Return an address without a slash at its end.

    Raises
    ------
    ValueError
        If it is none, or holds a name, a password or a query, which may be secrets. They are not
        shown.
    """
    address = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        fits = False
    if not fits or " " in address or not (address.isprintable() and address.isascii()):
        raise ValueError("base_url: give an address such as 'http://localhost:11434/v1'.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "base_url: an address without name, password, query and fragment is needed; give a key "
            "by api_key= or key_variable=."
        )
    return address


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Reply:
    """What came of a request.

    Attributes
    ----------
    status
        Of the server; 0 if it did not answer.
    body
        JSON, if it is some; else None.
    error
        What is wrong, as a clause; empty if the server answered 2xx with JSON.
    again
        Whether asking again may help.
    nobody
        Whether there is no server at all.
    wait
        Seconds that the server asks to wait before; None if it does not.
    """

    status: int
    body: Any = None
    error: str = ""
    again: bool = False
    nobody: bool = False
    wait: float | None = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Stays: urllib would show the key to whomever the server points at."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Endpoint:
    """Posts JSON to one address.

    Parameters
    ----------
    address
        Checked, see :func:`checked_address`.
    key
        Shown to that server alone.
    timeout
        Seconds for one request, from the first byte sent to the last one read.
    """

    def __init__(self, address: str, key: Key, timeout: float) -> None:
        self.address = address
        self._key = key
        self._timeout = timeout
        here = _is_here(urlsplit(address).hostname or "")
        proxies = [urllib.request.ProxyHandler({})] if here else []  # none leads back here
        self._opener = urllib.request.build_opener(_NoRedirect, *proxies)

    def post(self, content: Mapping[str, Any]) -> Reply:
        """Send, and say what came of it; whatever the server does, nothing is raised."""
        until = time.monotonic() + self._timeout
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked
            self.address,
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", **self._key.header()},
        )
        # What is raised in here knows the request, and so the key: it goes no further.
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return self._read(response.status, response, until)
        except urllib.error.HTTPError as refused:
            with refused:
                return self._refused(refused, until)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Reply:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, TimeoutError):
            return Reply(0, error=f"no answer within {self._timeout:g} seconds", again=True)
        nobody = True
        if isinstance(cause, ConnectionRefusedError):
            what = "nothing answers there (connection refused): the server is not running"
        elif isinstance(cause, socket.gaierror):
            what = "there is no such host"
        elif isinstance(cause, ssl.SSLError):
            what = f"there is no secure connection ({cause.reason or 'TLS'})"
        else:
            what, nobody = f"the connection failed ({type(cause).__name__})", False
        return Reply(0, error=what, again=True, nobody=nobody)

    def _refused(self, refused: urllib.error.HTTPError, until: float) -> Reply:
        status = refused.code
        try:
            said = _message(self._body(refused, until))
        except (OSError, http.client.HTTPException):
            said = ""
        if 300 <= status < 400:
            said = "it points at another address; give that one as base_url"
        error = f"the server refused with status {status}"
        again = status in {408, 425, 429} or status >= 500
        words = f"{error}: {self._words(said)}" if said else error
        return Reply(status, error=words, again=again, wait=_wait(refused.headers))

    def _read(self, status: int, response: Any, until: float) -> Reply:
        raw = self._body(response, until)
        if len(raw) > _MOST_BYTES:
            return Reply(status, error=f"the answer is larger than {_MOST_BYTES >> 20} MiB")
        try:
            return Reply(status, body=json.loads(raw))
        except (ValueError, RecursionError):
            page = raw.lstrip()[:1] == b"<"
            what = "a web page" if page else "something that is no JSON"
            return Reply(status, error=f"it answered with {what}; base_url may be wrong")

    def _body(self, response: Any, until: float) -> bytes:
        """Read what is there, up to a little more than what may be."""
        parts: list[bytes] = []
        size = 0
        while size <= _MOST_BYTES and (part := response.read1(1 << 16)):
            if time.monotonic() > until:
                raise TimeoutError
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def _words(self, text: str) -> str:
        """Return a stranger's words for a message: of one line, short, without the key."""
        plain = "".join(sign if sign.isprintable() else " " for sign in self._key.hide(text))
        plain = " ".join(plain.split())
        return plain if len(plain) <= _MOST_SHOWN else f"{plain[:_MOST_SHOWN]} ..."


def _message(raw: bytes) -> str:
    """Find what a server says went wrong, in the usual places."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return ""  # a page for people
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return error if isinstance(error, str) else ""


def _wait(headers: Any) -> float | None:
    """Read Retry-After: seconds, or a date."""
    given = headers.get("Retry-After")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - nan
