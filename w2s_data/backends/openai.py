"""Any OpenAI-compatible server: `openai:MODEL@URL`.

URL defaults to OPENAI_BASE_URL, else to OpenAI's own; the key comes from OPENAI_API_KEY and is in
no fingerprint, message or log. Text prompts go to /completions, chat messages to
/chat/completions. Seeds are the server's best effort. `tokens` of a sample is exact when
log-probabilities were asked for or a reply holds one choice, else the reply's mean. The weight of a
choice after chat messages is that of its first token among the 20 likeliest.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any

from w2s_data.backends import Backend, at_least, check_options
from w2s_data.backends.background import Background, interruptible
from w2s_data.backends.encode import clean, clean_messages, weighed
from w2s_data.backends.reply import heard, read_choice, read_sample, retry_after, words_of
from w2s_data.errors import W2SError
from w2s_data.rows import Sample, digest
from w2s_data.store import Request

DEFAULTS: dict[str, Any] = {
    "concurrency": 32,
    "retries": 6,
    "timeout": 600.0,
    "grace": 10.0,
    "seed": True,
    "chat": False,
}
OPENAI = "https://api.openai.com/v1"
TRY_AGAIN = {408, 409, 425, 429}
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 0.5, 60.0, 600.0


def load(target: str, **options: Any) -> OpenAI:
    """The model on a server. `target` is `MODEL` or `MODEL@URL` (up to /v1).

    Options: `concurrency` (requests under way at once), `retries` (of one request), `timeout`
    (seconds to wait for a reply), `grace` (seconds to wait for what is under way after Ctrl-C or
    an error), `seed` (False: send none, for servers that refuse it), `chat` (a text prompt becomes
    one user message).
    """
    check_options("openai", options, DEFAULTS)
    chosen = DEFAULTS | options
    at_least("concurrency", chosen["concurrency"], 1)
    for name in ("retries", "timeout", "grace"):
        at_least(name, chosen[name], 0)
    return OpenAI(target, **chosen)


class Refused(W2SError):
    """The server said no, or nothing that makes sense; `status` is the reply's, or 0."""

    def __init__(self, message: str, status: int = 0, pause: float | None = None):
        super().__init__(message)
        self.status, self.pause = status, pause


@dataclass
class Job:
    """A request under way, and what has come back so far."""

    position: int
    request: Request
    samples: list[Sample] = field(default_factory=list)


class OpenAI(Backend):
    def __init__(
        self,
        target: str,
        concurrency: int,
        retries: int,
        timeout: float,
        grace: float,
        seed: bool,
        chat: bool,
    ):
        import httpx

        match = re.fullmatch(r"(.+?)@(https?://.+)", target)
        self.model = match[1] if match else target
        address = match[2] if match else os.environ.get("OPENAI_BASE_URL") or OPENAI
        self._url = httpx.URL(address)
        self._key = os.environ.get("OPENAI_API_KEY", "")
        self._secrets = [self._key, self._url.password, self._url.query.decode()]
        self.url = str(self._url.copy_with(username=None, password=None, query=None)).rstrip("/")
        self.fingerprint = f"openai:{self.model}@{self.url}"
        self.chat = chat
        self._concurrency, self._retries, self._seed = concurrency, retries, seed
        self._timeout, self._grace = timeout, grace
        self._random = random.Random()
        self._most = 2**31  # choices a reply may hold, as far as the server has told
        self._limit_name = "max_tokens"
        self._echoes = True
        self._reached = self._stopping = False

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]:
        """Raises W2SError with the server's words when it refuses, or has failed too often.

        Before an error or Ctrl-C goes on its way, no more is asked, and what is under way and
        comes back within `grace` seconds is yielded, were it less than was asked for.
        """
        self._stopping = False
        asked = enumerate(requests)
        jobs: dict[Future[None], Job] = {}
        with Background(self._client()) as background, interruptible() as interrupted:
            try:
                while True:
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                    for position, request in itertools.islice(asked, self._concurrency - len(jobs)):
                        job = Job(position, self.stored(request))
                        jobs[background.start(self._answer(background.client, job))] = job
                    if not jobs:
                        return
                    for future in wait(jobs, timeout=0.5, return_when=FIRST_COMPLETED).done:
                        future.result()
                        job = jobs.pop(future)
                        yield job.position, job.samples
            except GeneratorExit:
                raise
            except BaseException:
                self._stopping = True
                wait(jobs, timeout=self._grace)
                for job in jobs.values():
                    if job.samples:
                        yield job.position, list(job.samples)
                raise

    def _client(self) -> Any:
        import httpx

        head = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        pool = httpx.Limits(max_connections=self._concurrency)
        timeout = httpx.Timeout(self._timeout, connect=min(self._timeout, 20.0), pool=None)
        return httpx.AsyncClient(headers=head, limits=pool, timeout=timeout)

    async def _answer(self, client: Any, job: Job) -> None:
        """Ask until there are n samples: a server may give fewer choices than asked for."""
        request = job.request
        if request.choices:
            job.samples += await self._weigh(client, request)
            return
        while (missing := request.n - len(job.samples)) and not self._stopping:
            first = request.start + len(job.samples)
            body = self._body(request, first, min(missing, self._most))
            choices, tokens = await self._reply(client, body)
            for index, choice in enumerate(choices[:missing], first):
                job.samples.append(read_sample(choice, index, tokens // len(choices), request))

    async def _weigh(self, client: Any, request: Request) -> list[Sample]:
        """Each choice's log-probability: of a text prompt by letting the server read prompt and
        choice and repeat them; else, or where it refuses, by its list of likeliest next tokens."""
        asked = range(request.start, request.start + request.n)
        if isinstance(request.prompt, str) and self._echoes:
            try:
                return [await self._echo(client, request, index) for index in asked]
            except W2SError as error:
                if "refuses (400)" not in str(error) and "refuses (422)" not in str(error):
                    raise
                self._echoes = False
        body = self._body(replace(request, choices=(), n=1, start=0, max_tokens=1), 0, 1)
        chat = "messages" in body
        body |= {"logprobs": True, "top_logprobs": 20} if chat else {"logprobs": 5}
        ((reply, *_), _) = await self._reply(client, body)
        values = heard(request.choices, reply["top"])
        return [weighed(request, index, 1, values[index]) for index in asked]

    async def _echo(self, client: Any, request: Request, index: int) -> Sample:
        choice = clean(request.choices[index])
        body = self._body(replace(request, choices=(), n=1, start=0), 0, 1)
        body |= {"prompt": body["prompt"] + choice, self._limit_name: 0}
        body |= {"echo": True, "logprobs": 1}
        ((reply, *_), _) = await self._reply(client, body)
        count, total, read = 0, 0.0, ""
        for token, value in reversed(reply["pairs"]):
            if len(read) >= len(choice):
                break
            count, total, read = count + 1, total + (value or 0.0), token + read
        if read != choice:
            raise W2SError(
                f"{self.url}: the server's tokens do not part {choice!r} from the prompt: choose "
                "other words, or ask with chat=true"
            )
        return weighed(request, index, count, total)

    def _body(self, request: Request, first: int, n: int) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "temperature": request.temperature, "n": n}
        body[self._limit_name] = request.max_tokens
        if isinstance(request.prompt, str):
            body["prompt"] = clean(request.prompt)
        else:
            body["messages"] = clean_messages(request.prompt)
        if request.top_p < 1:
            body["top_p"] = request.top_p
        if request.stop:
            body["stop"] = list(request.stop)
        if request.logprobs:
            body["logprobs"] = 1 if "prompt" in body else True
        if self._seed and request.temperature > 0:
            # Samples that are asked for later must not repeat the first ones.
            body["seed"] = int(digest("openai", str(request.seed), str(first))[:7], 16)
        return body

    async def _reply(self, client: Any, body: dict[str, Any]) -> tuple[list[Any], int]:
        """The choices of one reply and its number of tokens, after as many tries as it takes."""
        for attempt in itertools.count():
            try:
                return await self._ask(client, body)
            except Refused as refusal:
                if self._adapted(body, refusal):
                    continue
                lost = refusal.status and refusal.status not in TRY_AGAIN and refusal.status < 500
                tries = self._retries if self._reached or refusal.status else min(2, self._retries)
                if lost or attempt >= tries or self._stopping:
                    again = f" (asked {attempt + 1} times)" if attempt else ""
                    raise W2SError(f"{self.url}: {refusal}{again}") from None
                await asyncio.sleep(self._pause(attempt, refusal.pause))
        raise AssertionError

    def _pause(self, attempt: int, told: float | None) -> float:
        """Exponential back-off with full jitter; never less than the server has told us."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
        return self._random.uniform(0, longest) + min(told or 0.0, LONGEST_RETRY_AFTER)

    def _adapted(self, body: dict[str, Any], refusal: Refused) -> bool:
        """Whether `body` was changed to what the server's refusal says it would take."""
        words = str(refusal)
        if refusal.status not in (400, 422):
            return False
        if "max_completion_tokens" in words and "max_tokens" in body:
            self._limit_name = "max_completion_tokens"
            body[self._limit_name] = body.pop("max_tokens")
            return True
        if body["n"] > 1 and re.search(r"\bn\b", words):
            self._most = body["n"] = body["n"] // 2
            return True
        return False

    async def _ask(self, client: Any, body: dict[str, Any]) -> tuple[list[Any], int]:
        import httpx

        path = "/completions" if "prompt" in body else "/chat/completions"
        url = self._url.copy_with(path=self._url.path.rstrip("/") + path)
        try:
            reply = await client.post(url, json=body)
        except httpx.TimeoutException:
            raise Refused(f"no reply within {self._timeout:g} seconds") from None
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError) as error:
            reason = str(error) or type(error).__name__
            raise Refused(f"the connection failed: {self._hide(reason)}") from None
        if reply.status_code != 200:
            words = f"the server refuses ({reply.status_code}): {self._hide(words_of(reply))}"
            raise Refused(words, reply.status_code, retry_after(reply.headers))
        self._reached = True
        return self._choices(reply)

    def _choices(self, reply: Any) -> tuple[list[Any], int]:
        try:
            data = reply.json()
            choices = [read_choice(choice) for choice in data["choices"]]
            tokens = int((data.get("usage") or {}).get("completion_tokens") or 0)
        except (ValueError, KeyError, TypeError, AttributeError):
            choices = []
        if not choices:
            words = self._hide(reply.text[:200])
            raise Refused(f"the server's reply makes no sense: {words!r}", 500)
        return choices, tokens

    def _hide(self, text: str) -> str:
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text
