"""What the tokenizer and the template do to a set: cuts, ends, and another prompt than is sampled.

LLaMA-Factory's own template and processor do the work (`trainer`). Where it is not installed, a
bound is used that is right for every template: prompt and response alone must fit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from w2s_data.check.content import Texts
from w2s_data.check.entries import Entry
from w2s_data.check.findings import Findings
from w2s_data.check.survey import Seen

CUTOFF = 2048
LOST = {
    "response": ("W601", "lose the end of the response"),
    "question": ("W602", "lose part of the question"),
}


class Cuts:
    """The rules W601, W602 and W705 over the rows of one set."""

    def __init__(
        self,
        entry: Entry,
        found: Findings,
        answer: dict[str, Any] | None,
        arguments: dict[str, Any],
        tokenizer: Any = None,
    ):
        self.entry, self.found, self.tokenizer = entry, found, tokenizer
        self.cutoff = arguments.get("cutoff_len") or CUTOFF
        self.default_system = arguments.get("default_system")
        self.answer = answer or {}
        self._lost: dict[str, frozenset[int]] = {}
        self._message: dict[str, str] = {}
        for what, (_, words) in LOST.items():
            rows = self.answer.get(what, ())
            self._lost[what] = frozenset(rows)
            share = 100 * len(rows) / max(self.answer.get("rows", 1), 1)
            ends = len(self.answer.get("end", ())) if what == "response" else 0
            ends_too = f", {ends} of them its end of sequence" if ends else ""
            self._message[what] = (
                f"{share:.1f} % of the rows {words}{ends_too}: cutoff_len is {self.cutoff}, the "
                f"longest row has {self.answer.get('longest')} tokens"
            )

    def see(self, seen: Seen, has: Texts) -> None:
        for what, (code, _) in LOST.items():
            if seen.place.row - 1 in self._lost[what]:
                self.found.add(code, self.entry.name, self._message[what], seen.place)
        system = seen.example.system
        if self.default_system and system and not str(system).startswith(self.default_system):
            self.found.add("W705", self.entry.name, place=seen.place)
        if self.tokenizer:
            self._bound(seen, has)

    def _bound(self, seen: Seen, has: Texts) -> None:
        sizes = [len(self.tokenizer.encode(text, add_special_tokens=False))
                 for text in ("\n".join(has.prompt), *has.responses.values())]  # fmt: skip
        if sizes[0] + max(sizes[1:]) > self.cutoff:
            message = f"prompt and response alone have more than cutoff_len = {self.cutoff} tokens"
            self.found.add("W601", self.entry.name, message, seen.place)


def check_model(model: str, arguments: dict[str, Any], where: str, found: Findings) -> None:
    """W603: cutoff_len against the model's positions, where its config lies on disk."""
    try:
        config = json.loads((Path(model) / "config.json").read_text("utf-8"))
        positions = int(config["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    cutoff = arguments.get("cutoff_len") or CUTOFF
    if cutoff > positions:
        message = f"cutoff_len is {cutoff}, {model} has {positions} positions"
        found.add("W603", Path(where).name, message, file=where)


def check_template(
    facts: dict[str, Any], arguments: dict[str, Any], where: str, found: Findings
) -> None:
    """The rules W701 to W704 from how LLaMA-Factory encoded one turn."""
    name = arguments.get("template")
    owner = Path(where).name
    if facts.get("fails"):
        found.add("W701", owner, facts["fails"], file=where)
    if not facts or facts.get("fails"):
        return
    if not facts["ends"]:
        found.add("W703", owner, f"template {name} ends no response", file=where)
    if facts["plain"] and not facts["sampled_same"]:
        message = f"{facts['prompt']!r} is trained, {facts['sampled']!r} is sampled"
        found.add("W704", owner, message, file=where)
    chat = facts["chat"]
    if chat and not facts["plain"] and chat.strip() != facts["trained"].strip():
        message = f"template {name} makes {facts['trained']!r}, the tokenizer {chat!r}"
        found.add("W702", owner, message[:600], file=where)


def tokenizer_of(model: str, found: Findings) -> Any:
    """The tokenizer, for the bound; None, with a word, where it cannot be had."""
    try:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(model)
    except ImportError:
        found.skip("truncation: it needs the package transformers: pip install 'w2s_data[hf]'")
    except Exception as error:  # transformers has many
        found.skip(f"truncation: {model} holds no tokenizer: {str(error).splitlines()[0][:150]}")
    return None
