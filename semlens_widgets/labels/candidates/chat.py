"""A vision-language model behind an OpenAI-compatible chat endpoint, hosted or on this machine."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

from semlens_widgets.labels.candidates.answers import LONGEST_ANSWER
from semlens_widgets.labels.candidates.endpoint import Endpoint, Key, checked_address, key_of
from semlens_widgets.labels.candidates.grids import as_jpeg
from semlens_widgets.labels.candidates.vision_language import (
    Said,
    VisionLanguageSource,
    unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from semlens_widgets.labels.candidates.endpoint import Reply
    from semlens_widgets.labels.candidates.vision_language import Question

_OPTIONS = {"temperature": 0, "max_tokens": 100}
_FIRST_WAIT = 1.0  # seconds before a question is repeated; twice as many each time
_LONGEST_WAIT = 60.0
_IN_A_ROW = 5  # failures after which no other question is asked
_AT_FIRST = 2  # the same, of a server that never answered and was waited for each time
_HOPELESS = {401, 402, 404, 405}  # it would say so to any question; 403 may be about a picture


class ChatVLM(VisionLanguageSource):
    """Candidate labels from a vision-language model behind a chat endpoint.

    Nothing is sent until :meth:`SemanticLens.label` is called; :meth:`preview` says what will be.
    Each answer is kept in the analysis as it comes: a call that was stopped, or failed, goes on
    where it was. See ``docs/vlm.md``.

    Parameters
    ----------
    model
        What the server calls the model.
    base_url
        Address of the server, up to what comes before ``/chat/completions``: for Ollama
        ``http://localhost:11434/v1``, for OpenAI ``https://api.openai.com/v1``.
    api_key
        Shown to that server alone, and to nobody else. By default that of `key_variable`.
    key_variable
        Environment variable that holds the key; by default ``OPENAI_API_KEY`` if `base_url` is
        OpenAI's, and none for any other server, so that none is shown another's key.
    n, contrast, also
        See :class:`VisionLanguageSource`.
    timeout
        Seconds for one answer.
    retries
        How often a question is repeated if the server is slow, busy or fails, at growing intervals
        or when the server says.
    concurrency
        Questions asked at the same time.
    options
        What else a request says, in place of ``{"temperature": 0, "max_tokens": 100}``. Some models
        want ``{"max_completion_tokens": 1000}``.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the key would be sent over an open line.

    Examples
    --------
    >>> model = slw.ChatVLM("qwen2.5vl", base_url="http://localhost:11434/v1")
    >>> print(model.preview(lens))
    >>> lens.label(model, scorer="recognition")
    >>> model.report
    """

    name = "chat"

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        key_variable: str | None = None,
        n: int = 3,
        contrast: bool = False,
        also: Sequence[str] = (),
        timeout: float = 60,
        retries: int = 3,
        concurrency: int = 4,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.base_url = model.strip(), ""
        given = [] if api_key is None else [api_key]
        del api_key  # a traceback may show what a function holds
        key = Key(given.pop()) if given else None
        super().__init__(n=n, contrast=contrast, also=also)
        if not self.model:
            raise ValueError("model: give the name by which the server knows it.")
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout={timeout!r} must be a positive number of seconds.")
        if retries < 0:
            raise ValueError(f"retries={retries!r} must not be negative.")
        if concurrency < 1:
            raise ValueError(f"concurrency={concurrency!r} must be at least 1.")
        self.base_url = checked_address(base_url)
        self.retries = retries
        self.concurrency = concurrency
        self.options = _checked_options(_OPTIONS if options is None else options)
        self._key = key_of(key, key_variable, self.base_url)
        self._endpoint = Endpoint(f"{self.base_url}/chat/completions", self._key, timeout)

    def __repr__(self) -> str:
        return f"ChatVLM({self.model!r}, base_url={self.base_url!r})"

    @property
    def model_name(self) -> str:
        """What messages call the model."""
        return f"{self.model!r} at {self.base_url}"

    def _identity(self) -> dict[str, Any]:
        return {"chat": self.base_url, "model": self.model, "options": self.options}

    def _content(self, question: Question) -> dict[str, Any]:
        pictures = [b64encode(as_jpeg(grid)).decode() for grid in question.grids]
        shown = [
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}
            for picture in pictures
        ]
        messages = [
            {"role": "system", "content": question.system},
            {"role": "user", "content": [{"type": "text", "text": question.text}, *shown]},
        ]
        return {**self.options, "model": self.model, "messages": messages}

    def _sent(self, question: Question) -> int:
        text = len(question.system) + len(question.text)
        return text + sum(4 * math.ceil(len(as_jpeg(grid)) / 3) for grid in question.grids)

    def _ask(
        self, questions: Iterator[Question], keep: Callable[[str, str], None]
    ) -> Generator[tuple[str, Said]]:
        stop = Event()
        threads = ThreadPoolExecutor(self.concurrency, thread_name_prefix="ask")
        asked: dict[Future[Said], str] = {}
        answered, failed, last = False, 0, Said()
        try:
            while True:
                # The first one goes alone: it may be that nothing answers, or takes the key.
                room = (self.concurrency if answered else 1) - len(asked)
                for question in islice(questions, room):
                    job = threads.submit(self._answer, question, keep, stop, patient=answered)
                    asked[job] = question.fingerprint
                if not asked:
                    return
                for job in wait(asked, return_when=FIRST_COMPLETED).done:
                    said = job.result()
                    failed = failed + 1 if said.error else 0
                    answered = answered or not said.error
                    last = said if said.error else last
                    yield asked.pop(job), said
                if last.hopeless and not answered:
                    raise unavailable(self.model_name, last.error)
                enough = _AT_FIRST if last.waited and not answered else _IN_A_ROW
                if last.hopeless or failed >= enough:
                    break
            stop.set()
            for job, fingerprint in asked.items():
                yield fingerprint, job.result()
            left_out = Said(error=f"not asked, after others failed: {last.error}")
            for question in questions:
                yield question.fingerprint, left_out
        finally:
            # Answers on their way are paid for: they are kept when they come.
            stop.set()
            threads.shutdown(wait=False, cancel_futures=True)

    def _answer(
        self, question: Question, keep: Callable[[str, str], None], stop: Event, *, patient: bool
    ) -> Said:
        """Ask until there is an answer, or no use.

        Parameters
        ----------
        patient
            Whether the server has answered before; if not, and nobody is there, nobody will come.
        """
        content = self._content(question)
        for attempt in range(self.retries + 1):
            reply = self._endpoint.post(content)
            if not reply.error:
                said = self._said(reply)
                if not said.error:
                    keep(question.fingerprint, said.text)
                return said
            error, pause = reply.error, reply.wait
            if pause is None:
                pause = _FIRST_WAIT * 2**attempt
            elif pause > _LONGEST_WAIT:
                error += f"; it says to wait {pause:.0f} seconds"
            tried = attempt == self.retries or pause > _LONGEST_WAIT
            if tried or not reply.again or (reply.nobody and not patient) or stop.wait(pause):
                break
        refused = reply.status in _HOPELESS or 300 <= reply.status < 400
        nobody = reply.nobody and not patient
        return Said(error=error, hopeless=refused or nobody, waited=reply.again)

    def _said(self, reply: Reply) -> Said:
        """Find the answer in a reply."""
        try:
            choice = reply.body["choices"][0]
            text, ended = choice["message"]["content"], choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError):
            return Said(error="the reply is none of a chat; base_url may be wrong")
        if not isinstance(text, str) or not text.strip():
            return Said(error="the model answered without text")
        if ended == "length":
            return Said(error="the answer was cut off; allow more by options={'max_tokens': ...}")
        whole = text.encode("utf-8", "replace").decode()  # half a character cannot be kept
        return Said(self._key.hide(whole)[: LONGEST_ANSWER + 1])


def _checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(dict(options))
    except (TypeError, ValueError) as error:
        raise ValueError(f"options: what a request says must be JSON; {error}.") from None
    return dict(options)
