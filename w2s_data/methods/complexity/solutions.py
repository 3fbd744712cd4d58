"""A right and a wrong solution of each task and subtask (sections 4.2 and 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from w2s_data.answers import equal, extract
from w2s_data.methods.complexity.teaching import Teaching, ask, items, sentences, with_items
from w2s_data.prompts import render
from w2s_data.rows import Row, Sample, rng
from w2s_data.steps import replies
from w2s_data.steps.mix import tokens
from w2s_data.steps.stepwise import Severity, severity
from w2s_data.steps.tidy import tidy


def sampled(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    """Each item with `answers`: text, verdict and origin of each sample. With a `weaker` model the
    full task's wrong solutions are that model's (section 6)."""

    def request(item: Row) -> Row:
        if not how.ask_length:
            return {"id": item["id"], "prompt": item["prompt"]}
        length = tokens(item["reference"])
        slots = {"low": int(how.shortest * length), "high": int(how.longest * length)}
        return {
            "id": item["id"],
            "prompt": render("complexity_solve", question=item["question"], **slots),
        }

    sampling = {"n": how.n, "temperature": how.temperature, "top_p": how.top_p}
    asked = ask(how.weak, rows, lambda row: list(map(request, items(row))), "samples", **sampling)
    for_all = (
        with_items(row, [_answered(*pair, "weak", how) for pair in zip(items(row), replied)])
        for row, replied in asked
    )
    if how.weaker is None:
        yield from for_all
        return
    asked = ask(
        how.weaker, for_all, lambda row: list(map(request, items(row)[:1])), "samples", **sampling
    )
    for row, replied in asked:
        if not replied:
            yield row
            continue
        others = _answered(row, replied[0], "weaker", how)["answers"]
        yield row | {"answers": row["answers"] + others}


def _answered(item: Row, samples: list[Sample], origin: str, how: Teaching) -> Row:
    return item | {"answers": [(*_verdict(sample, item, how), origin) for sample in samples]}


def _verdict(sample: Sample, item: Row, how: Teaching) -> tuple[str, str]:
    """A sample as it would be learnt, and what is to be said of it."""
    text = tidy(sample["text"], how.weak.task)
    found = extract(how.rule, text)
    if not found:
        return text, "truncated" if sample["finish"] == "length" else "no answer"
    ratio = tokens(text) / max(tokens(item["reference"]), 1)
    if not how.shortest <= ratio <= how.longest:
        return text, "too short" if ratio < how.shortest else "too long"
    kind = equal(found.answer, item["answer"]).kind
    return text, {"equal": "right", "different": "wrong"}.get(kind, "undecided")


def judged(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    """What the answer engine left undecided goes to the judge; then each item has its `right` and
    `wrong` texts with their origins."""

    def requests(row: Row) -> list[Row]:
        return [
            {"id": f"{item['id']}#{i}", "prompt": _question_of_judge(item, text)}
            for item in items(row)
            for i, (text, verdict, _) in enumerate(item["answers"])
            if verdict == "undecided"
        ]

    asked: Iterable[tuple[Row, list[list[Sample]]]]
    if how.judge is None:
        asked = ((row, []) for row in rows)
    else:
        asked = ask(how.judge, rows, requests, "verdicts", max_tokens=16, stop=("\n",))
    for row, replied in asked:
        left = iter(replied)
        yield with_items(row, [_sorted(item, left, how) for item in items(row)])


def _question_of_judge(item: Row, text: str) -> str:
    slots = {"question": item["question"], "answer": item["answer"], "response": text}
    return render("complexity_judge", **slots)


def _sorted(item: Row, replied: Iterator[list[Sample]], how: Teaching) -> Row:
    texts: dict[str, dict[str, str]] = {"right": {}, "wrong": {}}
    wrong_by = "weaker" if how.weaker and "parts" in item else "weak"
    for text, verdict, origin in item["answers"]:
        if verdict == "undecided" and how.judge:
            said = replies.verdict(next(replied)[0])
            verdict = said if isinstance(said, str) else "right" if said else "wrong"
        if verdict in texts:
            if origin == {"right": "weak", "wrong": wrong_by}[verdict]:
                texts[verdict].setdefault(text, origin)
        else:
            how.faults[f"sample: {verdict}"] += 1
    kept = {name: value for name, value in item.items() if name != "answers"}
    return kept | {side: list(found.items()) for side, found in texts.items()}


def rewritten(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    """One right solution an item: a sample; where every sample is wrong the reference, rewritten
    in the sampler's style if there is a paraphraser (style transfer)."""

    def requests(row: Row) -> list[Row]:
        lost = [item for item in items(row) if item["wrong"] and not item["right"]]
        return [{"id": item["id"], "prompt": _question_of_style(item)} for item in lost]

    asked: Iterable[tuple[Row, list[list[Sample]]]]
    if how.paraphraser is None:
        asked = ((row, []) for row in rows)
    else:
        asked = ask(how.paraphraser, rows, requests, "style")
    for row, replied in asked:
        left = iter(replied)
        yield with_items(row, [item | {"right": _right(item, left, how)} for item in items(row)])


def _style_lengths(item: Row) -> tuple[float, float]:
    """0.8 to 1.2 times the samples' mean length."""
    mean = sum(tokens(text) for text, _ in item["wrong"]) / len(item["wrong"])
    return 0.8 * mean, 1.2 * mean


def _question_of_style(item: Row) -> str:
    low, high = map(int, _style_lengths(item))
    slots = {"low": low, "high": high, "response": item["wrong"][0][0]}
    slots |= {name: item[name] for name in ("question", "reference")}
    return render("complexity_style", **slots)


def _right(item: Row, replied: Iterator[list[Sample]], how: Teaching) -> Row | None:
    if item["right"]:
        text, origin = rng(how.seed, item["id"], "right").choice(item["right"])
        return solution(text, origin)
    if not item["wrong"]:
        return None
    if how.paraphraser is None:
        return solution(item["reference"], "reference")
    sample = next(replied)[0]
    text = sample["text"].strip()
    low, high = _style_lengths(item)
    reason = replies.rewritten(sample, item["answer"], how.rule)
    if not reason and not low <= tokens(text) <= high:
        reason = "too short" if tokens(text) < low else "too long"
    if reason:
        how.faults[f"style transfer: {reason}"] += 1
        return None
    return solution(text, "rewritten")


def solution(text: str, origin: str, found: Severity | None = None) -> Row:
    measure, wrong, count = found or ("right", 0, 0)
    return {
        "response": text,
        "origin": origin,
        "measure": measure,
        "wrong_steps": wrong,
        "steps": count,
    }


def told(solved: Row) -> Row:
    """The solution, its severity measured now if that has waited until it is taken."""
    if "against" not in solved:
        return solved
    found = severity(solved["response"], solved["against"])
    return solution(solved["response"], solved["origin"], found)


def measured(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    """One wrong solution an item, the mildest, the gravest or any, with its severity."""

    def candidates(item: Row) -> list[tuple[str, str, Severity]]:
        found = item["wrong"]
        if how.severity == "any" and found:
            found = [rng(how.seed, item["id"], "wrong").choice(found)]
        return [(text, origin, severity(text, item["reference"])) for text, origin in found]

    def unmeasured(item: Row) -> list[str]:
        return [text for text, _, found in candidates(item) if found.measure == "unmeasured"]

    def requests(row: Row) -> list[Row]:
        return [
            {"id": f"{item['id']}#{i}", "prompt": _question_of_steps(item, text)}
            for item in items(row)
            for i, text in enumerate(unmeasured(item))
        ]

    asked: Iterable[tuple[Row, list[list[Sample]]]]
    if how.judge is None:
        asked = ((row, []) for row in rows)
    else:
        asked = ask(how.judge, rows, requests, "steps", max_tokens=16, stop=("\n",))
    for row, replied in asked:
        left = iter(replied)
        pick = partial(_wrong, replied=left, how=how)
        yield with_items(
            row, [item | {"wrong": pick(item, candidates(item))} for item in items(row)]
        )


def _question_of_steps(item: Row, text: str) -> str:
    slots = {name: item[name] for name in ("question", "reference")}
    return render("complexity_steps", steps=sentences(text), **slots)


def _wrong(
    item: Row,
    found: list[tuple[str, str, Severity]],
    replied: Iterator[list[Sample]],
    how: Teaching,
) -> Row | None:
    known = [(text, origin, _by_judge(text, each, replied, how)) for text, origin, each in found]
    if how.severity != "any":
        known = [each for each in known if each[2].measure != "unmeasured"]
        rng(how.seed, item["id"], "wrong").shuffle(known)
        known.sort(key=lambda each: each[2].share, reverse=how.severity == "grave")
    return solution(*known[0]) if known else None


def _by_judge(
    text: str, found: Severity, replied: Iterator[list[Sample]], how: Teaching
) -> Severity:
    if found.measure != "unmeasured" or how.judge is None:
        return found
    count = len(sentences(text))
    first = replies.first_wrong(next(replied)[0], count)
    if isinstance(first, str):
        how.faults[f"judge of steps: {first}"] += 1
        return found
    return Severity("judge", count - first + 1, count)
