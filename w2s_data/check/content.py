"""What the texts of a row are like: empty, equal, repetitive, with special tokens."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from typing import NamedTuple

from w2s_data.answers import equal, extract
from w2s_data.check.convert import USER
from w2s_data.check.entries import Entry
from w2s_data.check.findings import Findings
from w2s_data.check.survey import Seen
from w2s_data.factory import shape
from w2s_data.tasks import Task

# Where no tokenizer says which: those of the common families.
SPECIAL = (
    *("<s>", "</s>", "<pad>", "<unk>", "<bos>", "<eos>", "[INST]", "[/INST]", "<<SYS>>"),
    *("<start_of_turn>", "<end_of_turn>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"),
    *("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>"),
    *("<|end_header_id|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
)
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
GRAM, TIMES, SHARE = 10, 4, 0.3
LOOP_CHARACTERS, LOOP_RATIO = 400, 0.1


class Texts(NamedTuple):
    """A row's texts: what is asked, and the responses by the name of their part."""

    prompt: list[str]
    responses: dict[str, str]


def texts(entry: Entry, stage: str, seen: Seen) -> Texts:
    """The texts of a row. A KTO response is called `true` or `false` after its tag; null is ""."""
    prompt = [str(content) for role, content in seen.example.prompt]
    said = [str(content or "") for _, content in seen.example.response]
    kind = shape(stage)
    if kind == "text":
        return Texts([], {"text": "".join(prompt[:1])})
    if kind == "pair":
        return Texts(prompt, {"chosen": said[0], "rejected": said[1]})
    if kind == "tag":
        tag = bool(seen.row.get(entry.columns["kto_tag"]))
        return Texts(prompt, {"true" if tag else "false": said[0 if tag else 1]})
    return Texts(prompt, {"response": said[0]})


class Content:
    """The rules W801 to W810 over the rows of one set."""

    def __init__(
        self,
        entry: Entry,
        stage: str,
        found: Findings,
        task: Task | None = None,
        special: list[str] | None = None,
    ):
        self.entry, self.stage, self.found, self.task = entry, stage, found, task
        known = SPECIAL if special is None else special
        tokens = sorted((re.escape(token) for token in known if token.strip()), key=len)
        self.special = re.compile("|".join(reversed(tokens)) or "(?!)")
        self.tags: set[str] = set()

    def see(self, seen: Seen, has: Texts) -> None:
        found, name = self.found, self.entry.name
        for what, text in [*(("prompt", text) for text in has.prompt), *has.responses.items()]:
            self._text(seen, what, text)
        for part, text in has.responses.items():
            if found.wants("W806") and repeats(text):
                found.add("W806", name, f"{_called(part)} repeats itself", seen.place)
        asked = [content for role, content in seen.example.prompt if role == USER]
        if found.wants("W808") and any("{{idx}}" in str(content) for content in asked):
            found.add("W808", name, place=seen.place)
        self.tags |= has.responses.keys() & {"true", "false"}
        self._pair(seen, has.responses)
        self._declared(seen, has.responses)

    def _text(self, seen: Seen, what: str, text: str) -> None:
        found, name = self.found, self.entry.name
        if not text.strip():
            if what == "true" and not text:
                found.add("W807", name, place=seen.place)
            else:
                found.add("W801", name, f"{_called(what)} is empty", seen.place)
            return
        if token := self.special.search(text):
            found.add("W804", name, f"{token[0]!r} stands in {_called(what)}", seen.place)
        if CONTROL.search(text):
            found.add("W809", name, place=seen.place)

    def _pair(self, seen: Seen, responses: dict[str, str]) -> None:
        if "chosen" not in responses:
            return
        chosen, rejected = responses["chosen"], responses["rejected"]
        if chosen.strip() == rejected.strip():
            if chosen.strip():
                self.found.add("W802", self.entry.name, place=seen.place)
        elif self.task and self.found.wants("W803"):
            answers = [extract(self.task.rule, text) for text in (chosen, rejected)]
            if all(answers) and equal(*(each.answer for each in answers)).kind == "equal":  # type: ignore[union-attr]
                self.found.add("W803", self.entry.name, place=seen.place)

    def _declared(self, seen: Seen, responses: dict[str, str]) -> None:
        if not self.task or not self.found.wants("W810"):
            return
        for part in responses.keys() & {"response", "chosen", "true"}:
            if responses[part].strip() and extract(self.task.rule, responses[part]) is None:
                self.found.add("W810", self.entry.name, place=seen.place)

    def end(self) -> None:
        """What only the whole set shows."""
        if len(self.tags) == 1:
            message = f"all rows are tagged {min(self.tags)}"
            self.found.add("W805", self.entry.name, message, file=self.entry.info)


def _called(part: str) -> str:
    return {"true": "the response", "false": "the response"}.get(part, f"the {part}")


def repeats(text: str) -> bool:
    """Whether a text runs in a loop: ten words in a row come four times and make up 30 % of it, or
    it packs to a tenth of its length."""
    if len(text) >= LOOP_CHARACTERS:
        raw = text[: 1 << 16].encode("utf-8", "replace")
        if len(zlib.compress(raw, 1)) < LOOP_RATIO * len(raw):
            return True
    words = text.split()
    if len(words) < GRAM * TIMES or len(set(words)) > 0.8 * len(words):
        return False
    grams = Counter(zip(*(words[i:] for i in range(GRAM)), strict=False))
    times = max(grams.values())
    return times >= TIMES and times * GRAM >= SHARE * len(words)
