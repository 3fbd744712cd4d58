"""LLaMA-Factory itself, asked in a process of its own: which rows it trains on, and what it cuts.

`ask` starts the process and hands it a request as JSON; `python -m w2s_data.check.trainer` answers.
There LLaMA-Factory's own loader, converter, template and processor run over the sets. Without a
tokenizer one that counts nothing stands in, because loading and dropping need none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

IGNORED = -100
# LLaMA-Factory reads ranking data for all losses over pairs under one name.
STAGES = {"dpo": "rm", "orpo": "rm", "simpo": "rm"}
# Data arguments that say which rows are read when, not how one is encoded.
RUN = ("dataset", "dataset_dir", "interleave_probs", "mix_strategy", "max_samples", "streaming",
       "tokenized_path", "packing", "neat_packing")  # fmt: skip
BATCH = 1000
ENDLESS = 10**9


def installed() -> bool:
    """Whether LLaMA-Factory can be asked here."""
    return importlib.util.find_spec("llamafactory") is not None


def ask(sets: list[dict[str, str]], arguments: dict[str, Any], model: str | None) -> dict[str, Any]:
    """LLaMA-Factory's answer: {"sets": [...], "template": {...}}, or {"failed": why}.

    sets: `{folder, name, stage}` each. arguments: its data arguments (template, cutoff_len, ...).
    model: a folder or hub id with a tokenizer, None for none. Each set's answer has `fails` (None
    or its error), `rows` loaded and `dropped` (row numbers from 0); with a tokenizer also
    `question`, `response` and `end` (the rows that lose some of it) and `longest` (tokens).
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        request = {"sets": sets, "arguments": arguments, "model": model, "answer": str(answer)}
        done = subprocess.run(
            [sys.executable, "-m", "w2s_data.check.trainer"],
            input=json.dumps(request | {"cache": folder}),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if not answer.exists():
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            return {"failed": said[-1][:300]}
        return json.loads(answer.read_text("utf-8"))


def main() -> None:
    request = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    answer = _answer(**{key: request[key] for key in ("sets", "arguments", "model", "cache")})
    Path(request["answer"]).write_text(json.dumps(answer), "utf-8")


def _answer(
    sets: list[dict[str, str]], arguments: dict[str, Any], model: str | None, cache: str
) -> dict[str, Any]:
    import datasets
    from llamafactory.data.template import get_template_and_fix_tokenizer

    datasets.disable_progress_bars()
    tokenizer = _tokenizer(model) if model else _Counting()
    chat = tokenizer.chat_template
    arguments = {key: value for key, value in arguments.items() if key not in RUN}
    try:
        template = get_template_and_fix_tokenizer(tokenizer, _data_args(arguments, "data"))
    except ValueError as error:
        return {"sets": [], "template": {"fails": str(error)}}
    found = [_set(arguments=arguments, cache=cache, real=bool(model), tokenizer=tokenizer,
                  template=template, **each) for each in sets]  # fmt: skip
    facts = _template_facts(template, tokenizer, chat) if model else {}
    return {"sets": found, "template": facts}


def _tokenizer(model: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model, padding_side="right")


class _Counting:
    """A tokenizer that makes one token of any text."""

    chat_template = None
    eos_token, eos_token_id, pad_token_id, bos_token_id = "<end>", 1, 1, None

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [2]

    def __call__(self, texts: list[str], **given: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[2]] * len(texts)}

    def convert_tokens_to_ids(self, token: str) -> int:
        return 3

    def add_special_tokens(self, *tokens: Any, **given: Any) -> int:
        return 0


def _data_args(arguments: dict[str, Any], folder: str) -> Any:
    from dataclasses import fields

    from llamafactory.hparams import DataArguments

    known = {each.name for each in fields(DataArguments)} - {"eval_dataset", "val_size"}
    given = {key: value for key, value in arguments.items() if key in known}
    return DataArguments(**given | {"dataset_dir": folder, "overwrite_cache": True})


def _set(
    folder: str,
    name: str,
    stage: str,
    *,
    arguments: dict[str, Any],
    cache: str,
    real: bool,
    tokenizer: Any,
    template: Any,
) -> dict[str, Any]:
    """What becomes of one set."""
    from llamafactory.data import loader

    answer: dict[str, Any] = {"name": name, "fails": None, "rows": 0, "dropped": []}
    data_args = _data_args(arguments | {"preprocessing_num_workers": None}, folder)
    data_stage = STAGES.get(stage, stage)
    model_args = SimpleNamespace(cache_dir=cache, hf_hub_token=None)
    training_args = SimpleNamespace(local_process_index=0, dataloader_num_workers=0, seed=42)
    try:
        names = _data_args({"dataset": name}, folder).dataset
        rows = loader._get_merged_dataset(names, model_args, data_args, training_args, data_stage)
        answer["rows"] = len(rows)
        data_args.packing = False
        processor = loader._get_dataset_processor(data_args, data_stage, template, tokenizer, None)
        watch = _Watch(processor, data_args, tokenizer.eos_token_id)
        for start in range(0, len(rows), BATCH):
            watch.batch(start, rows[start : start + BATCH])
        if len(watch.dropped) == len(rows):
            raise RuntimeError("every row was dropped")
        answer["dropped"] = watch.dropped
        if real:
            answer |= watch.cut | {"longest": watch.longest}
    except Exception as error:  # whatever LLaMA-Factory dies of is its verdict
        answer["fails"] = f"{type(error).__name__}: {error}"[:300]
    return answer


class _Watch:
    """A processor that remembers which rows it encoded, and what `cutoff_len` took from them."""

    def __init__(self, processor: Any, data_args: Any, end: int) -> None:
        self.processor, self.data_args, self.end = processor, data_args, end
        self.cutoff = data_args.cutoff_len
        self.dropped: list[int] = []
        self.cut: dict[str, list[int]] = {"question": [], "response": [], "end": []}
        self.longest = 0
        self._encode: Any = getattr(processor, "_encode_data_example", None)
        self._encoded: dict[int, tuple[Any, Any]] = {}
        if self._encode:
            processor._encode_data_example = self._remember

    def batch(self, start: int, rows: dict[str, list[Any]]) -> None:
        self._encoded = {}
        if not self._encode:
            self._plain(start, rows)
            return
        self.processor.preprocess_dataset(rows)
        for place, prompt in enumerate(rows["_prompt"], start):
            if id(prompt) not in self._encoded:
                self.dropped.append(place)
                continue
            whole, limited = self._encoded[id(prompt)]
            self._compare(place, whole, limited)

    def _plain(self, start: int, rows: dict[str, list[Any]]) -> None:
        """Pre-training: texts cut at `cutoff_len`."""
        self.data_args.cutoff_len = ENDLESS
        whole = self.processor.preprocess_dataset(rows)["input_ids"]
        self.data_args.cutoff_len = self.cutoff
        for place, ids in enumerate(whole, start):
            self._compare(place, [(ids, ids)], [(ids[: self.cutoff],) * 2])

    def _remember(self, **row: Any) -> Any:
        self.data_args.cutoff_len = ENDLESS
        whole = self._encode(**row)
        self.data_args.cutoff_len = self.cutoff
        limited = whole
        if max(len(ids) for ids, _ in _sides(whole)) > self.cutoff:
            limited = self._encode(**row)
        self._encoded[id(row["prompt"])] = _sides(whole), _sides(limited)
        return limited

    def _compare(self, place: int, whole: Any, limited: Any) -> None:
        self.longest = max(self.longest, *(len(ids) for ids, _ in whole))
        lost = set()
        for (_, all_labels), (_, labels) in zip(whole, limited, strict=True):
            if labels.count(IGNORED) < all_labels.count(IGNORED):
                lost.add("question")
            if _learnt(labels) < _learnt(all_labels):
                lost.add("response")
            if self.end in all_labels[-4:] and self.end not in labels[-4:]:
                lost.add("end")
        for what in lost:
            self.cut[what].append(place)


def _sides(encoded: Any) -> list[tuple[list[int], list[int]]]:
    """(ids, labels) of a response, or of chosen and rejected; not KTO's mismatched pair."""
    if len(encoded) == 5:
        return [encoded[:2]]
    return [encoded[i : i + 2] for i in range(0, len(encoded), 2)]


def _learnt(labels: list[int]) -> int:
    return len(labels) - labels.count(IGNORED)


QUESTION, ANSWER = "What is 1 + 1?", "It is 2."


def _template_facts(template: Any, tokenizer: Any, chat: str | None) -> dict[str, Any]:
    """How one turn is encoded, beside what the tokenizer itself makes of it."""
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    prompt, response = template.encode_oneturn(tokenizer, messages, "", "")
    stops = {tokenizer.eos_token_id, *template.get_stop_token_ids(tokenizer)}
    decode = tokenizer.decode
    plain = decode(prompt).endswith(QUESTION) and len(decode(prompt)) < len(QUESTION) + 24
    facts: dict[str, Any] = {
        "plain": plain,
        "ends": template.efficient_eos or bool(stops & set(response[-4:])),
        "trained": decode(prompt + response),
        "prompt": decode(prompt),
        "sampled": decode(tokenizer(QUESTION)["input_ids"]),
        "sampled_same": prompt == tokenizer(QUESTION)["input_ids"],
        "special": sorted(set(tokenizer.all_special_tokens)),
        "chat": None,
    }
    if chat:
        with contextlib.suppress(Exception), _chat_template(tokenizer, chat):
            facts["chat"] = tokenizer.apply_chat_template(messages, tokenize=False)
    return facts


@contextlib.contextmanager
def _chat_template(tokenizer: Any, chat: str) -> Iterator[None]:
    kept, tokenizer.chat_template = tokenizer.chat_template, chat
    try:
        yield
    finally:
        tokenizer.chat_template = kept


if __name__ == "__main__":
    main()
