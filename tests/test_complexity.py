"""Guiding Through Complexity: laws of the mixes, and every role played by a script."""

import json
from collections import Counter
from functools import cache
from inspect import signature
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_data import methods, tasks, world
from w2s_data.answers import equal, extract
from w2s_data.errors import W2SError
from w2s_data.io import Spool, write_rows
from w2s_data.methods import complexity
from w2s_data.methods.complexity import mixing, published
from w2s_data.prompts import render
from w2s_data.rows import Sample
from w2s_data.steps import mix

MATH = tasks.get("math")
GOLD = tasks.gold(MATH, "train_2")


class Scripted:
    """A model that says what a function of the row and the sample's number says."""

    dry_run, max_tokens = False, None

    def __init__(self, say):
        self.task, self.say, self.asked = MATH, say, []

    def __call__(self, rows, into, *, n=1, **_):
        for row in list(rows):
            self.asked.append(row["prompt"])
            said = [self.say(row, i) for i in range(n)]
            said = [text if isinstance(text, tuple) else (text, "stop") for text in said]
            samples = [
                Sample(index=i, text=text, finish=finish, tokens=1)
                for i, (text, finish) in enumerate(said)
            ]
            yield row | {into: samples}


@cache
def questions():
    return [
        row | {"prompt": render("qa", question=row["question"])}
        for row in tasks.questions(MATH, "train_2", limit=150)
    ]


def hard():
    return [row for row in questions() if row["meta"]["level"] > 3]


@cache
def solution(row_id, parts=2):
    """The generator's solution of a task or subtask."""
    parent, _, part = row_id.partition("/subtask_")
    row = world.problem("train_2", int(parent.split("/")[1]))
    row = world.subtasks(parent, parts)[int(part) - 1] if part else row
    return MATH.response(row["solution"], row["answer"])


def broken(text):
    """The solution with its last result, and the answer, one too large."""
    answer = extract("math", text).answer
    return (
        text.replace(f"= {answer}$", "= 991$")
        .replace(f"{{{answer}}}", "{991}")
        .replace(f"is: {answer}", "is: 991")
    )


def teacher(row, i):
    right = solution(row["id"])
    draw = Random(f"{row['id']}#{i}").random()
    return right if draw < 0.4 else broken(right) if draw < 0.9 else "I do not know."


def build(stage=complexity.supervision, rows=None, **given):
    given = {"gold": GOLD, "notes": {}, "weak": Scripted(teacher)} | given
    return list(stage(rows or questions(), **given))


def endings(rows):
    return [ending for row in rows for ending in row.get("endings", ())]


def teaching(**given):
    """The defaults of the stages."""
    roles = dict.fromkeys(("weaker", "decomposer", "paraphraser", "judge"))
    plain = methods.settings(complexity.STAGES["dpo"], {})
    plain = {name: plain[name] for name in plain if name != "kind"}
    return complexity.Teaching(
        **{"gold": GOLD, "weak": Scripted(teacher), **roles, **plain, **given}
    )


@cache
def pool(kind="full"):
    how = teaching()
    return list(complexity.taught(questions(), how, paraphrases=kind == "full+paraphrase"))


def mixed(kind, rows=None, **given):
    given = {"rates": (0.5, 0.0), "budget": 0, "unit": "rows", "supplement": 0.5} | given
    tasks = Spool(rows or pool(kind))
    return list(mixing.mixed(tasks, kind=kind, seed=1, notes={}, **given))


KINDS = st.sampled_from(["full", "sub", "full+sub", "full+paraphrase"])
RATES = st.integers(0, 18).map(lambda n: n / 20)


def possible(kind, **given):
    """The mix, or None where it is refused by a sentence that names a bound."""
    try:
        return mixed(kind, **given)
    except W2SError as error:
        if "must be at" not in str(error):
            raise
        return None


def by_part(rows):
    found = endings(rows)
    full = [e for e in found if e["part"] == "full"]
    return full, [e for e in found if e["part"] != "full"]


def wrong(rows):
    return sum(ending["outcome"] == "wrong" for ending in rows)


@settings(deadline=None, max_examples=60)
@given(KINDS, RATES, RATES, st.integers(2, 36))
def test_rates_and_budget_are_the_asked_ones_to_the_row(kind, rate, sub_rate, budget):
    """What is possible is exact; what is not is refused. Wrong rows are wrong, right ones right."""
    rows = possible(kind, rates=(rate, sub_rate), budget=budget)
    if rows is None:
        return
    full, added = by_part(rows)
    assert len(full) + len(added) == budget
    assert wrong(full) == mix.wrong_rows(len(full), rate)
    rate = rate if kind == "full+paraphrase" else sub_rate
    assert wrong(added) == mix.wrong_rows(len(added), rate)
    if "+" in kind:
        assert len(added) == budget // 2
        assert {e["parent"] for e in added} <= {e["id"] for e in full}
    for ending in endings(rows):
        key = ending["id"].removesuffix("/paraphrase_1")
        answers = [extract("math", t).answer for t in (ending["response"], solution(key))]
        assert (equal(*answers).kind == "equal") == (ending["outcome"] == "right")


@settings(deadline=None, max_examples=30)
@given(KINDS, RATES, st.integers(300, 5000))
def test_a_budget_of_tokens_is_met_but_for_one_row(kind, rate, budget):
    rows = possible(kind, rates=(rate, 0.0), budget=budget, unit="tokens")
    if rows is None:
        return
    costs = [mix.tokens(e["prompt"]) + mix.tokens(e["response"]) for e in endings(rows)]
    assert sum(costs) <= budget
    with_one_more = mixed(kind, rates=(rate, 0.0), budget=len(costs) + 1)
    assert sum(mix.tokens(e["prompt"] + e["response"]) for e in endings(with_one_more)) > budget


@settings(deadline=None, max_examples=20)
@given(KINDS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing_but_order(kind, drawn):
    shuffled = list(pool(kind))
    drawn.shuffle(shuffled)
    before, after = mixed(kind, budget=20), mixed(kind, shuffled, budget=20)
    key = json.dumps
    assert sorted(map(key, endings(before))) == sorted(map(key, endings(after)))


def test_the_order_of_the_questions_changes_nothing_but_order():
    rows = questions()[::-1]
    before, after = endings(build()), endings(build(rows=rows))
    assert sorted(map(json.dumps, before)) == sorted(map(json.dumps, after))
    assert before != after


def test_every_kind_draws_from_the_same_tasks():
    taken = {
        kind: {e["parent"] for e in endings(mixed(kind, budget=20))} for kind in ("full", "sub")
    }
    assert taken["full"]
    assert taken["sub"] <= {row["id"] for row in pool() if "dropped" not in row}
    assert {e["id"] for e in endings(mixed("full", budget=20, rates=(0.9, 0)))} == taken["full"]


@pytest.mark.parametrize("stage", complexity.STAGES)
def test_gold_is_seen_by_the_stages_that_declare_it(stage):
    run = complexity.STAGES[stage].run
    assert methods.sees_gold(complexity.STAGES[stage]) == ("gold" in signature(run).parameters)
    assert methods.sees_gold(complexity.STAGES[stage]) == (not stage.startswith("published"))


def test_no_teacher_is_shown_a_reference():
    weak = Scripted(teacher)
    build(weak=weak)
    for row in hard():
        assert not any(GOLD[row["id"]]["solution"] in prompt for prompt in weak.asked)


def test_every_question_is_kept_or_dropped_with_a_reason():
    notes = {}
    rows = build(notes=notes, budget=10)
    assert [row["id"] for row in rows] == [row["id"] for row in questions()]
    assert len(endings(rows)) == 10
    reasons = Counter(row["dropped"] for row in rows if "dropped" in row)
    assert reasons.keys() <= {
        "easy: left to the foundation",
        "not drawn: the budget is full",
        "no judged solution",
    }
    assert notes["outcome errors of full tasks"].startswith("5 of 10: 0.5000 (0.237 to 0.763)")
    assert notes["unused: sample: no answer"] > 0
    for row in rows:
        assert row.keys() <= {"id", "task", "question", "meta", "prompt", "dropped", "endings"}


def test_the_foundation_and_the_supervision_share_the_questions_out():
    easy = {r["id"] for r in complexity.foundation(questions(), gold=GOLD) if "endings" in r}
    left = {r["id"] for r in build() if r.get("dropped") == "easy: left to the foundation"}
    assert easy == left


@pytest.mark.parametrize(
    ("difficulty", "easy", "rule"),
    [
        ("level", ("2",), lambda row: row["meta"]["level"] == 2),
        ("subject", ("Algebra",), lambda row: row["meta"]["subject"] == "Algebra"),
        ("length", ("60",), lambda row: mix.tokens(GOLD[row["id"]]["response"]) <= 60),
    ],
)
def test_difficulty_is_a_field(difficulty, easy, rule):
    rows = complexity.foundation(questions(), gold=GOLD, difficulty=difficulty, easy=easy)
    kept = [row["id"] for row in rows if "endings" in row]
    assert kept == [row["id"] for row in questions() if rule(row)]
    assert kept


# The roles


def reply(row_id, reasonable=lambda text: text):
    """A decomposer's reply: the generator's subtasks under the asked headings."""
    lines, done = [], 0
    for k, part in enumerate(world.subtasks(row_id, 2), 1):
        span = f"{done + 1}-{done + len(part['steps'])}"
        done += len(part["steps"])
        response = MATH.response(part["solution"], part["answer"])
        lines += [f"Subtask {k} (steps {span}): {part['problem']}", f"Solution {k}: {response}"]
    return reasonable("\n".join(lines))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text, None),
        (lambda text: text.replace("Solution 1:", "Answer:"), "missing heading"),
        (lambda text: text[: text.index("Subtask 2")], "wrong count"),
        (lambda text: (text[:-20], "length"), "truncated"),
        (lambda text: text.replace("The answer is", "Thus").replace("boxed", "b"), "without an"),
    ],
)
def test_a_malformed_decomposition_is_a_counted_drop(damage, reason):
    decomposer = Scripted(lambda row, _: reply(row["id"], damage))

    weak = Scripted(lambda row, _: "So $1 + 1 = 3$. The answer is: 990")
    given = {"decomposer": decomposer, "weak": weak, "shortest": 0.0}
    if reason is None:
        rows = build(complexity.preferences, **given)
        dropped = [row["dropped"] for row in rows if "decomposer" in row.get("dropped", "")]
        assert dropped == ["decomposer: subtask is a near copy of the task"]  # Let $6x = 12$ ...
        assert len([row for row in rows if "endings" in row]) == len(hard()) - 1
    else:
        rows = build(complexity.preferences, **given)
        dropped = [row["dropped"] for row in rows if "decomposer" in row["dropped"]]
        assert len(dropped) == len(hard())
        assert all(reason in each for each in dropped)


def paraphrase(row, damage):
    told = row["prompt"].split("\n\n")[-1]
    told = told.replace("First,", "Look:").replace("Compute", "Look:").replace("We have", "Look:")
    return damage(told.replace("Problem: ", "Problem: Think. "))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text, None),
        (lambda text: text.replace("Problem:", ""), "missing heading"),
        (lambda text: text + "\nProblem: again", "wrong count"),
        (lambda text: (text, "length"), "truncated"),
        (lambda text: text.replace("Think.", "Think of $1$."), "numbers changed"),
        (lambda text: text.replace("The answer is: ", "The answer is: not "), "answer changed"),
    ],
)
def test_a_malformed_paraphrase_is_a_counted_drop(damage, reason):
    paraphraser = Scripted(lambda row, _: paraphrase(row, damage))

    def never_silent(row, i):
        return solution(row["id"]) if i else broken(solution(row["id"]))

    given = {"paraphraser": paraphraser, "weak": Scripted(never_silent), "kind": "full+paraphrase"}
    if reason:
        with pytest.raises(W2SError, match="at most 0 rows"):
            build(**given)
        how = teaching(paraphraser=paraphraser)
        made = complexity.paraphrased(complexity.taught(questions(), how), how)
        dropped = Counter(row["dropped"] for row in made if "dropped" in row)
        assert dropped[f"paraphraser: {reason}"] > 0
        assert len([row for row in dropped.elements() if "paraphraser" in row]) == len(hard())
        return
    rows = endings(build(**given))
    others = [row for row in rows if row["part"] == "paraphrase_1"]
    assert len(others) == len(rows) // 2 == len(hard())
    assert all("Think. " in row["prompt"] and "Look: " in row["response"] for row in others)


def test_the_judge_is_asked_what_the_engine_leaves_undecided_only():
    gold = {k: v | {"answer": f"{v['answer']} miles"} for k, v in GOLD.items()}
    answers = iter(["yes", "no", "perhaps"] * 10_000)
    judge = Scripted(lambda row, _: next(answers))
    notes = {}
    units = Scripted(lambda row, i: f"{solution(row['id'])} meters")
    rows = build(gold=gold, weak=units, judge=judge, notes=notes, parts=0)
    assert len(judge.asked) == 3 * len(hard())
    assert len(endings(rows)) > 0
    assert notes["unused: sample: unreadable verdict"] == len(hard())
    silent = Scripted(lambda row, _: "yes")
    build(judge=silent)
    assert silent.asked == []


@pytest.mark.parametrize(
    ("said", "origin", "fault"),
    [
        (lambda right: "Well: " + right, "rewritten", None),
        (broken, None, "answer changed"),
        (lambda right: right * 3, None, "too long"),
        (lambda right: (right, "length"), None, "truncated"),
    ],
)
def test_where_all_samples_are_wrong_the_reference_is_rewritten(said, origin, fault):
    weak = Scripted(lambda row, _: broken(solution(row["id"])))
    paraphraser = Scripted(lambda row, _: said(solution(row["id"])))
    notes = {}
    rows = build(complexity.preferences, weak=weak, paraphraser=paraphraser, notes=notes)
    origins = {ending["chosen_origin"] for ending in endings(rows)}
    if origin:
        assert origins == {origin}
        assert len(paraphraser.asked) == 3 * len(hard())
    else:
        assert origins == set()
        assert notes[f"unused: style transfer: {fault}"] == 3 * len(hard())


def test_without_a_paraphraser_the_reference_stands_as_it_is():
    weak = Scripted(lambda row, _: broken(solution(row["id"])))
    rows = endings(build(complexity.preferences, weak=weak))
    assert {row["chosen_origin"] for row in rows} == {"reference"}
    assert {row["chosen"] for row in rows} == {solution(row["id"]) for row in rows}


def test_the_weaker_model_is_wrong_in_its_way():
    weaker = Scripted(lambda row, _: "So $9 - 5 = 3$. The answer is: 990")
    rows = endings(build(weaker=weaker, shortest=0.0, error_rate=0.9))
    origins = Counter((row["outcome"], row["origin"]) for row in rows)
    assert origins["wrong", "weaker"] > 0
    assert origins["wrong", "weak"] == 0
    assert origins["right", "weaker"] == 0


def test_severity_is_chosen_apart_from_the_outcome():
    def weak(row, i):
        right = solution(row["id"])
        first, *rest = right.split("= ")
        broken_steps = 1 + i * (len(rest) - 1) // 2  # one, then more, then all
        signs = ["= 770 + "] * broken_steps + ["= "] * (len(rest) - broken_steps)
        bad = first + "".join(sign + text for sign, text in zip(signs, rest))
        return bad.replace("The answer is: ", "The answer is: 99")

    sets = {
        severity: endings(
            build(weak=Scripted(weak), severity=severity, error_rate=0.9, longest=9.0)
        )
        for severity in ("mild", "grave")
    }
    assert [r["id"] for r in sets["mild"]] == [r["id"] for r in sets["grave"]]
    assert [r["outcome"] for r in sets["mild"]] == [r["outcome"] for r in sets["grave"]]
    shares = {
        severity: [r["wrong_steps"] / r["steps"] for r in rows if r["outcome"] == "wrong"]
        for severity, rows in sets.items()
    }
    assert all(a <= b for a, b in zip(shares["mild"], shares["grave"]))
    assert sum(shares["mild"]) < sum(shares["grave"])
    assert {r["measure"] for r in sets["mild"]} <= {"right", "arithmetic", "reference"}


def test_a_judge_locates_what_nothing_else_can():
    weak = Scripted(lambda row, _: "I guess. It is much. The answer is: 991")
    judge = Scripted(lambda row, _: "2")
    rows = endings(build(weak=weak, judge=judge, shortest=0.0, error_rate=0.9))
    found = {(r["measure"], r["wrong_steps"], r["steps"]) for r in rows if r["outcome"] == "wrong"}
    assert found == {("judge", 2, 3)}
    unread = Scripted(lambda row, _: "hard to say")
    notes = {}
    rows = endings(build(weak=weak, judge=unread, shortest=0.0, error_rate=0.9, notes=notes))
    assert {r["measure"] for r in rows if r["outcome"] == "wrong"} == {"unmeasured"}
    assert notes["unused: judge of steps: unreadable step"] == 3 * len(hard())


def test_lengths_are_checked():
    notes = {}
    weak = Scripted(lambda row, i: solution(row["id"]) if i else broken(solution(row["id"])) * 3)
    with pytest.raises(W2SError, match=r"at most 0\.0 for"):
        build(weak=weak, notes=notes, budget=5)
    build(weak=weak, notes=notes, error_rate=0.0)
    assert notes["unused: sample: too long"] == 3 * len(hard())


def test_a_length_is_asked_for():
    weak = Scripted(teacher)
    build(weak=weak, ask_length=True)
    assert all(prompt.startswith("Solve the problem in about ") for prompt in weak.asked)


def test_a_task_is_broken_into_two_or_three():
    def weak(row, i):
        right = solution(row["id"], 3)
        return right if i else broken(right)

    rows = endings(build(complexity.preferences, parts=3, weak=Scripted(weak)))
    assert {row["part"] for row in rows} == {"full", "subtask_1", "subtask_2", "subtask_3"}
    with pytest.raises(W2SError, match="parts must be 0, 2 or 3, was: 1"):
        build(parts=1)
    with pytest.raises(W2SError, match="kind=sub needs subtasks"):
        build(parts=0, kind="sub")


def test_questions_of_ones_own_need_a_decomposer_for_subtasks_only():
    gsm8k = tasks.get("gsm8k")
    row = {"id": "1", "task": "gsm8k", "question": "What is 1 + 1?", "meta": {}, "prompt": "Q"}
    gold = {"1": {"answer": "2", "solution": "1 + 1 = 2", "response": "1 + 1 = 2\n#### 2"}}
    weak = Scripted(lambda row, i: f"1 + 1 = {2 + i}\n#### {2 + i}")
    weak.task = gsm8k
    given = {"rows": [row], "gold": gold, "weak": weak}
    (made,) = build(complexity.preferences, **given)
    assert made["dropped"].startswith("decomposer: none is named")
    (made,) = build(parts=0, error_rate=0.9, **given)
    (ending,) = made["endings"]
    assert (ending["measure"], ending["wrong_steps"], ending["span"]) == ("arithmetic", 1, "all")


# Pairs, and the published file


def test_pairs_are_linked_by_id():
    rows = build(complexity.preferences)
    for row in rows:
        if "dropped" in row:
            continue
        full, *subs = row["endings"]
        assert (full["id"], full["parent"], full["part"]) == (row["id"], row["id"], "full")
        assert subs
        low, last = 0, int(full["span"].split("-")[1])
        for sub in subs:
            assert sub["id"] == f"{row['id']}/{sub['part']}"
            assert sub["parent"] == row["id"]
            first, end = map(int, sub["span"].split("-"))
            assert low < first <= end <= last
            low = end
        for pair in row["endings"]:
            assert pair["question"] in pair["prompt"]
            answers = [extract("math", pair[side]).answer for side in ("chosen", "rejected")]
            assert equal(*answers).kind == "different"
    both = {e["id"] for e in endings(rows)}
    parts = [
        {e["id"] for e in endings(build(complexity.preferences, kind=kind))}
        for kind in ("full", "sub")
    ]
    assert parts[0] | parts[1] == both
    assert not parts[0] & parts[1]


ENTRY = {
    "id": "a",
    "original": {"task": "1+1+1?", "chosen": "The answer is: 3", "rejected": "The answer is: 4"},
    "subtask_1": {"task": "1+1?", "chosen": "The answer is: 2", "rejected": "The answer is: 1"},
}


@pytest.mark.parametrize("name", ["pairs.json", "pairs.jsonl"])
def test_the_published_format_is_read_and_written(tmp_path, name):
    rows = [
        {"instruction": "", "question": text["task"], "parent": "a", "part": part} | text
        for part, text in (("full", ENTRY["original"]), ("subtask_1", ENTRY["subtask_1"]))
    ]
    write_rows(tmp_path / "set.jsonl", rows)
    assert published.write(tmp_path / "set.jsonl", tmp_path / name) == 1
    entry = json.loads((tmp_path / name).read_text()) if name == "pairs.jsonl" else None
    assert (entry or json.loads((tmp_path / name).read_text())[0]) == ENTRY
    (read,) = published.read(tmp_path / name)
    assert read["task"] == "1+1+1?"
    assert read["parts"] == [{"id": "a/subtask_1", **ENTRY["subtask_1"]}]


def test_the_pipelines_own_spelling_is_read(tmp_path):
    def respelt(pair):
        return {"task": pair["task"], "pos_ans": pair["chosen"], "neg_ans": pair["rejected"]}

    entry = {k: respelt(v) if k != "id" else v for k, v in ENTRY.items()}
    entry["ori_id"] = entry.pop("id")
    write_rows(tmp_path / "one.jsonl", [entry])
    write_rows(tmp_path / "two.jsonl", [ENTRY])
    assert list(published.read(tmp_path / "one.jsonl")) == list(
        published.read(tmp_path / "two.jsonl")
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"id": ""}, "id must be"),
        ({"id": None}, "id must be"),
        ({"original": None}, "original must be an object"),
        ({"original": {"task": "x"}}, "no chosen or pos_ans"),
        ({"subtask_1": {"task": "", "chosen": "a", "rejected": "b"}}, "no task"),
        ({"subtask_1": "text"}, "subtask_1 must be an object"),
    ],
)
def test_a_malformed_entry_is_named_by_its_line(tmp_path, damage, message):
    write_rows(tmp_path / "pairs.jsonl", [ENTRY, ENTRY | {"id": "b"} | damage])
    with pytest.raises(W2SError, match=rf"pairs\.jsonl:2: .*{message}"):
        list(published.read(tmp_path / "pairs.jsonl"))


@pytest.mark.parametrize("missing", ["original", "subtask_1"])
def test_an_entry_needs_full_task_and_subtask(tmp_path, missing):
    write_rows(tmp_path / "pairs.jsonl", [{k: v for k, v in ENTRY.items() if k != missing}])
    with pytest.raises(W2SError, match=missing):
        list(published.read(tmp_path / "pairs.jsonl"))


def test_an_id_stands_once(tmp_path):
    write_rows(tmp_path / "pairs.jsonl", [ENTRY, ENTRY])
    with pytest.raises(W2SError, match="stands at line 1 already"):
        list(published.read(tmp_path / "pairs.jsonl"))


def asked(*ids):
    return [
        {"id": i, "task": "math", "question": "1+1+1?", "prompt": "Question: 1+1+1?\nAnswer:"}
        for i in ids
    ]


def test_the_published_pairs_make_sets(tmp_path):
    path = str(tmp_path / "pairs.jsonl")
    write_rows(path, [ENTRY])
    rows = list(complexity.published_preferences(asked("z", "a"), pairs=path))
    assert [row.get("dropped") for row in rows] == [None, "no pair in the file"]
    assert [e["prompt"] for e in endings(rows)] == [
        "Question: 1+1+1?\nAnswer:",
        "Question: 1+1?\nAnswer:",
    ]
    notes = {}
    rows = list(
        complexity.published_supervision(
            asked("a"), pairs=path, notes=notes, kind="full+sub", error_rate=0.9
        )
    )
    assert [(e["id"], e["outcome"]) for e in endings(rows)] == [
        ("a", "wrong"),
        ("a/subtask_1", "right"),
    ]


def test_a_set_without_full_tasks_is_not_published(tmp_path):
    row = {"question": "q", "parent": "a", "part": "subtask_1", "chosen": "a", "rejected": "b"}
    write_rows(tmp_path / "set.jsonl", [row])
    with pytest.raises(W2SError, match="kind=both"):
        published.write(tmp_path / "set.jsonl", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
