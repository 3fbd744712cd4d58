"""Binary tasks: each a data set of the hub as questions that are answered yes or no.

The data sets of EleutherAI's w2s (https://blog.eleuther.ai/weak-to-strong/), with the verbalised
choices " yes" and " no" in place of a classification head, and two of ours: is this worked solution
right? A row of `sciq` is made of

    {"question": "What is the least dangerous radioactive decay?", "correct_answer": "alpha decay",
     "distractor1": "zeta decay", "distractor2": "beta decay", "distractor3": "gamma decay",
     "support": "All radioactive decay is dangerous to living things, but ..."}

by showing one answer, the right one or not, as a coin says that is seeded by the record. Every
split of the hub and the bundled one is balanced: records of the more frequent answer are left out,
by a seeded hash. Loaders see the answers for that; rows do not. Where a data set has no labelled
test split, its validation split is `test`; of very large ones the first records are taken.

A file of your own (`--questions`) has rows {question, choices, answer}: any two choices, the first
of which p(true) is the probability of, and the right one as its letter, text or position; without
choices they are yes and no, the only ones of the tasks that ask whether a solution is right. Rows
with the fields of the task's own data set are asked as those of the hub are. No file is balanced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, NamedTuple

from w2s_data import rows
from w2s_data.errors import W2SError
from w2s_data.rows import Row
from w2s_data.tasks import ALIASES, BUNDLED, Hub, Task, choice
from w2s_data.tasks.gsm8k import CALCULATOR_NOTE

YES_NO = ["yes", "no"]
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}  # as a csv file may say it
MATH_FIELDS = ("id", "unique_id", "level", "subject", "type")
FIELDS = {alias for name in ("id", "question", "choices", "answer") for alias in ALIASES[name]}
FAULTS = (KeyError, ValueError, IndexError, TypeError, AttributeError)
RESULT = re.compile(r"=\s*\$?(\d+)(?![\d.,]*\d)")

Shown = tuple[str, bool]
Form = Callable[[Row, Random], Shown | None]


class Entry(NamedTuple):
    """A task: what it asks, how a record becomes (question, is the answer yes?), and where the
    records are; `parquet` says that they are on the hub's parquet branch only."""

    title: str
    form: Form
    path: str
    config: str | None = None
    train: str = "train"
    test: str = "test"
    parquet: bool = False


# --- one small formatter a data set -----------------------------------------------------------


def shown(rng: Random, right: str, others: Iterable[str]) -> tuple[str, bool]:
    """The right answer or another one, as a coin says, and whether it is the right one."""
    others = [other for other in others if other != right]
    truth = not others or rng.random() < 0.5
    return (right if truth else rng.choice(others)), truth


def passage(text: str, question: str, answer: str) -> str:
    return f"Passage: {text}\n\nQuestion: {question}\nAnswer: {answer}\n\nIs this answer right?"


def amazon_polarity(r: Row, rng: Random) -> Shown:
    review = f"{r['title']}\n{r['content']}"
    return f"Review: {review}\n\nIs this review positive?", int(r["label"]) == 1


def anli(r: Row, rng: Random) -> Shown:
    text = f"Premise: {r['premise']}\nHypothesis: {r['hypothesis']}"
    return f"{text}\n\nDoes the hypothesis follow from the premise?", int(r["label"]) == 0


def anthropic_hh(r: Row, rng: Random) -> Shown:
    text, truth = shown(rng, r["chosen"], [r["rejected"]])
    return f"{text.strip()}\n\nIs the assistant's last reply the better one of two?", truth


def boolq(r: Row, rng: Random) -> Shown:
    question = f"Passage: {r['passage']}\n\nQuestion: {r['question']}?"
    return question, TRUTHS[str(r["answer"]).casefold()]


def cola(r: Row, rng: Random) -> Shown:
    return f"Sentence: {r['sentence']}\n\nIs this sentence grammatical?", int(r["label"]) == 1


def cosmos_qa(r: Row, rng: Random) -> Shown | None:
    """ "None of the above" is no answer to show: such a record shows one of the others."""
    answers = [r[f"answer{i}"] for i in range(4)]
    right = answers[int(r["label"])]
    real = [answer for answer in answers if "None of the above" not in answer]
    if right not in real:
        return (passage(r["context"], r["question"], rng.choice(real)), False) if real else None
    answer, truth = shown(rng, right, real)
    return passage(r["context"], r["question"], answer), truth


def dream(r: Row, rng: Random) -> Shown:
    answer, truth = shown(rng, r["answer"], r["choice"])
    return passage("\n".join(r["dialogue"]), r["question"], answer), truth


def ethics_commonsense(r: Row, rng: Random) -> Shown:
    return f"Scenario: {r['input']}\n\nIs what I did wrong?", int(r["label"]) == 1


def ethics_deontology(r: Row, rng: Random) -> Shown:
    text = f"Request or duty: {r['scenario']}\nReply: {r['excuse']}"
    return f"{text}\n\nIs the reply reasonable?", int(r["label"]) == 1


def ethics_justice(r: Row, rng: Random) -> Shown:
    return f"Statement: {r['scenario']}\n\nIs this reasoning just?", int(r["label"]) == 1


def ethics_utilitarianism(r: Row, rng: Random) -> Shown:
    pair = [r["baseline"], r["less_pleasant"]]
    truth = rng.random() < 0.5
    first, second = pair if truth else pair[::-1]
    return f"First: {first}\nSecond: {second}\n\nIs the first more pleasant?", truth


def ethics_virtue(r: Row, rng: Random) -> Shown:
    scenario, _, trait = r["scenario"].rpartition(" [SEP] ")
    return f"Scenario: {scenario}\n\nIs this person {trait}?", int(r["label"]) == 1


def hellaswag(r: Row, rng: Random) -> Shown:
    ending, truth = shown(rng, r["endings"][int(r["label"])], r["endings"])
    return f"Text: {r['ctx']}\nIt goes on: {ending}\n\nIs this how it goes on?", truth


def mc_taco(r: Row, rng: Random) -> Shown:
    return passage(r["sentence"], r["question"], r["answer"]), str(r["label"]) in ("1", "yes")


def multirc(r: Row, rng: Random) -> Shown:
    return passage(r["paragraph"], r["question"], r["answer"]), int(r["label"]) == 1


def openbookqa(r: Row, rng: Random) -> Shown:
    texts = r["choices"]["text"]
    right = texts[r["choices"]["label"].index(r["answerKey"])]
    answer, truth = shown(rng, right, texts)
    return f"Question: {r['question_stem']}\nAnswer: {answer}\n\nIs this answer right?", truth


def paws(r: Row, rng: Random) -> Shown:
    text = f"First: {r['sentence1']}\nSecond: {r['sentence2']}"
    return f"{text}\n\nDo these sentences say the same?", int(r["label"]) == 1


def piqa(r: Row, rng: Random) -> Shown:
    ways = [r["sol1"], r["sol2"]]
    way, truth = shown(rng, ways[int(r["label"])], ways)
    return f"Goal: {r['goal']}\nWay: {way}\n\nIs this the better one of two ways?", truth


def quail(r: Row, rng: Random) -> Shown:
    answer, truth = shown(rng, r["answers"][int(r["correct_answer_id"])], r["answers"])
    return passage(r["context"], r["question"], answer), truth


def quartz(r: Row, rng: Random) -> Shown:
    texts = r["choices"]["text"]
    answer, truth = shown(rng, texts[r["choices"]["label"].index(r["answerKey"])], texts)
    return passage(r["para"], r["question"], answer), truth


def sciq(r: Row, rng: Random) -> Shown:
    answer, truth = _sciq(r, rng)
    return f"Question: {r['question']}\nAnswer: {answer}\n\nIs this answer right?", truth


def sciq_with_support(r: Row, rng: Random) -> Shown:
    answer, truth = _sciq(r, rng)
    return passage(r["support"], r["question"], answer), truth


def _sciq(r: Row, rng: Random) -> tuple[str, bool]:
    return shown(rng, r["correct_answer"], (r[f"distractor{i}"] for i in (1, 2, 3)))


def social_i_qa(r: Row, rng: Random) -> Shown:
    answers = [r["answerA"], r["answerB"], r["answerC"]]
    answer, truth = shown(rng, answers[int(r["label"]) - 1], answers)
    return passage(r["context"], r["question"], answer), truth


def sst2(r: Row, rng: Random) -> Shown:
    return f"Sentence: {r['sentence'].strip()}\n\nIs this positive?", int(r["label"]) == 1


def twitter_sentiment(r: Row, rng: Random) -> Shown:
    return f"Message: {r['text'].strip()}\n\nIs this positive?", int(r["label"]) == 1


def wic(r: Row, rng: Random) -> Shown:
    text = f"First: {r['sentence1']}\nSecond: {r['sentence2']}"
    question = f'Does "{r["word"]}" mean the same in both sentences?'
    return f"{text}\n\n{question}", int(r["label"]) == 1


def gsm8k_right(r: Row, rng: Random) -> Shown | None:
    solution, _, answer = CALCULATOR_NOTE.sub("", r["answer"]).partition("####")
    return _worked(r["question"], f"{solution.strip()}\n#### {answer.strip()}", rng)


def math_right(r: Row, rng: Random) -> Shown | None:
    answer = f" The answer is: {r['answer']}" if r.get("answer") else ""
    return _worked(r["problem"], r["solution"] + answer, rng)


def _worked(question: str, solution: str, rng: Random) -> Shown | None:
    """The solution as it is, or altered; None for one that has no result to alter."""
    wrong = altered(solution, rng)
    if wrong is None:
        return None
    truth = rng.random() < 0.5
    return f"Question: {question}\nAnswer: {solution if truth else wrong}", truth


def altered(solution: str, rng: Random) -> str | None:
    """The solution with every result wrong: each whole number after an equals sign is another one,
    and what comes after goes on with it. None for a solution without results."""
    results = list(RESULT.finditer(solution))
    replaced: dict[str, str] = {}
    parts, done = [], 0
    for result in results:
        parts.append(_renumbered(solution[done : result.start(1)], replaced))
        replaced[result[1]] = str(_other(int(result[1]), rng))
        parts.append(replaced[result[1]])
        done = result.end(1)
    return "".join([*parts, _renumbered(solution[done:], replaced)]) if results else None


def _other(value: int, rng: Random) -> int:
    """Another whole number, of any size up to ten times this one and at least up to 200."""
    found = rng.randrange(1, max(200, 10 * value))
    return found + (found >= value)


def _renumbered(text: str, replaced: dict[str, str]) -> str:
    return re.sub(r"\d+", lambda found: replaced.get(found[0], found[0]), text)


# --- the tasks --------------------------------------------------------------------------------

ENTRIES = {
    "amazon_polarity": Entry(
        "Amazon reviews",
        amazon_polarity,
        "fancyzhx/amazon_polarity",
        None,
        "train[:100000]",
        "test[:20000]",
    ),
    "anli-r2": Entry("ANLI, round 2", anli, "facebook/anli", None, "train_r2", "test_r2"),
    "anthropic_hh": Entry("Helpful and harmless replies", anthropic_hh, "Anthropic/hh-rlhf"),
    "boolq": Entry("BoolQ", boolq, "google/boolq", test="validation"),
    "cola": Entry("CoLA", cola, "nyu-mll/glue", "cola", test="validation"),
    "cosmos_qa": Entry(
        "Cosmos QA", cosmos_qa, "allenai/cosmos_qa", test="validation", parquet=True
    ),
    "dream": Entry("DREAM", dream, "dataset-org/dream", parquet=True),
    **{
        f"ethics-{name}": Entry(f"ETHICS, {name}", form, "hendrycks/ethics", name, parquet=True)
        for name, form in (
            ("commonsense", ethics_commonsense),
            ("deontology", ethics_deontology),
            ("justice", ethics_justice),
            ("utilitarianism", ethics_utilitarianism),
            ("virtue", ethics_virtue),
        )
    },
    "gsm8k_right": Entry("GSM8K: is this solution right?", gsm8k_right, "openai/gsm8k", "main"),
    "hellaswag-binary": Entry("HellaSwag", hellaswag, "Rowan/hellaswag", test="validation"),
    "math_right": Entry(
        "MATH: is this solution right?", math_right, "nlile/hendrycks-MATH-benchmark"
    ),
    "mc_taco": Entry("MC-TACO", mc_taco, "CogComp/mc_taco", None, "test", "validation", True),
    "multirc": Entry(
        "MultiRC", multirc, "aps/super_glue", "multirc", test="validation", parquet=True
    ),
    "openbookqa": Entry("OpenBookQA", openbookqa, "allenai/openbookqa", "main"),
    "paws": Entry("PAWS", paws, "google-research-datasets/paws", "labeled_final"),
    "piqa": Entry("PIQA", piqa, "ybisk/piqa", test="validation", parquet=True),
    "quail": Entry("QuAIL", quail, "textmachinelab/quail", test="validation"),
    "quartz": Entry("QuaRTz", quartz, "allenai/quartz"),
    "sciq": Entry("SciQ", sciq, "allenai/sciq"),
    "sciq_with_support": Entry("SciQ with its support", sciq_with_support, "allenai/sciq"),
    "social_i_qa": Entry(
        "Social IQa", social_i_qa, "allenai/social_i_qa", test="validation", parquet=True
    ),
    "sst2": Entry("SST-2", sst2, "stanfordnlp/sst2", test="validation"),
    "twitter-sentiment": Entry(
        "Sentiment of tweets", twitter_sentiment, "EleutherAI/twitter-sentiment"
    ),
    "wic": Entry("Word in context", wic, "aps/super_glue", "wic", test="validation", parquet=True),
}


def record_of(entry: Entry, record: Row, where: str = "") -> Row | None:
    """A source's record as {id, question, choices, answer}, drawn by a coin of its own."""
    content = json.dumps(record, sort_keys=True, default=str)
    try:
        found = entry.form(record, rows.rng(42, rows.digest(content), "binary"))
    except FAULTS as error:
        raise W2SError(
            f"{where or entry.path}: a record is not as expected ({type(error).__name__}: "
            f"{error}); fields there: {', '.join(map(str, record))}"
        ) from None
    if found is None:
        return None
    question, truth = found
    kept = {
        name: record[name] for name in MATH_FIELDS if entry.form is math_right and name in record
    }
    return kept | {"question": question, "choices": YES_NO, "answer": YES_NO[not truth]}


class _Noted(dict[str, Any]):
    """A record that notes which fields are looked for."""

    def __init__(self, record: Row):
        super().__init__(record)
        self.sought: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.sought.add(name)
        return super().__getitem__(name)


def of_file(name: str, record: Row, where: str) -> Row | None:
    """A file's record: one in the schema of the task's data set as `record_of` makes it, another
    as it is. Raises W2SError for one that has some fields of the data set alone."""
    entry, noted = ENTRIES[name], _Noted(record)
    fits = True
    try:
        entry.form(noted, Random(0))
    except FAULTS:
        fits = False
    own = sorted(noted.sought & record.keys() - FIELDS)
    lacks = sorted(noted.sought - record.keys())
    chosen = {*ALIASES["choices"]} & record.keys() - noted.sought
    if chosen or (not own and (not fits or _is_choice(record.get("answer")))):
        return record
    if lacks:
        raise W2SError(
            f"{where}: {', '.join(own)} without {', '.join(lacks)}: a row of {name} holds all "
            f"fields of {entry.path}, or question, choices and answer"
        )
    return record_of(entry, record, where)


def _is_choice(answer: Any) -> bool:
    """Whether the answer is yes or no, in any of the ways a file may say so."""
    try:
        choice.read_gold({"answer": answer, "choices": YES_NO, "where": ""})
    except W2SError:
        return False
    return True


def shape(record: Row) -> Row:
    """Two different choices, yes and no where the record has none."""
    found = choice.shape(record) if record.get("choices") else {"choices": YES_NO}
    texts = found["choices"]
    if len({"".join(text.split()) for text in texts}) != 2 or len(texts) != 2:
        raise W2SError(
            f"{record['where']}: a binary question has two different choices, was: {texts!r}"
        )
    return found


def shape_of_right(record: Row) -> Row:
    """As `shape`, of questions whose prompt ends in `Right:` and shows no choices."""
    found = shape(record)
    if {text.strip().casefold() for text in found["choices"]} != {*YES_NO}:
        raise W2SError(
            f"{record['where']}: this task asks whether a solution is right, yes or no; for the "
            f"choices {found['choices']!r} take a binary task that shows them, for instance boolq"
        )
    return found


def read_gold(record: Row) -> Row:
    """The right choice, of its letter, text or position; true is the first choice."""
    answer: Any = record.get("answer")
    if isinstance(answer, bool):
        return {"answer": record["choices"][not answer]}
    letter = choice.read_gold(record).get("answer")
    return {"answer": record["choices"]["AB".index(letter)]} if letter else {}


def response(solution: str | None, answer: str) -> str:
    """The gold response: the choice alone, after a blank, as its weight is taken."""
    return f" {answer}"


def _task(name: str, entry: Entry) -> Task:
    source = (entry.path, entry.config)
    ours, worked = name == "math_right", name.endswith("_right")
    return Task(
        name=name,
        title=f"{entry.title} (yes or no)",
        rule="first_line",
        answer_key="The answer is:",
        prompt="right" if worked else "binary",
        stop=("\n",),
        max_tokens=8,
        shape=shape_of_right if worked else shape,
        read_gold=read_gold,
        form=lambda record: record_of(entry, record),
        balanced=True,
        files={s: BUNDLED / f"math_{s}.jsonl" for s in ("train_1", "train_2", "test") if ours},
        hub={
            "train_1": Hub(*source, split=entry.train, half=1, parquet=entry.parquet),
            "train_2": Hub(*source, split=entry.train, half=2, parquet=entry.parquet),
            "test": Hub(*source, split=entry.test, parquet=entry.parquet),
        },
        roles={"weak": "hf:bundled/weak", "strong": "hf:bundled/strong"} if ours else {},
        response=response,
    )


TASKS = {name: _task(name, entry) for name, entry in ENTRIES.items()}
