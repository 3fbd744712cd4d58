"""Alice's four rounds on scripted models: what is learnt, what is dropped, and for what reason."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from scripted import scripted

from w2s_data import methods, tasks
from w2s_data.build import build
from w2s_data.errors import W2SError
from w2s_data.explain import explain
from w2s_data.inputs import Models, Questions
from w2s_data.steps.embed import weights_of

MODELS = {role: f"scripted:{role}" for role in ("teacher", "student", "summarizer")}
DOUBT = "I am not sure whether I have to add or to multiply."
HARD = 4  # questions from here on split the teacher's samples


def number(prompt):
    """The number of the question that a prompt asks last."""
    return int(re.findall(r"box number (\d+)", prompt)[-1])


def answer(n, wrong=0):
    return f"Box {n} holds {n} and {n}: {n} + {n} = {2 * n + wrong}.\n#### {2 * n + wrong}"


def teacher(prompt, i):
    """Sure of the first questions; the others it gets right three times in five."""
    n = number(prompt)
    return answer(n, wrong=7 * (n >= HARD and i % 5 in (1, 3)))


def student(prompt, i):
    return answer(number(prompt))


def summarizer(prompt, i):
    return DOUBT


ANSWERS = {"teacher": teacher, "student": student, "summarizer": summarizer}


def ask(n):
    return (
        f"Somebody put twice as many apples as its number into box number {n}. How many are in it?"
    )


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path):
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


class Built:
    def __init__(self, folder, name):
        self.rows = read(folder / f"data/{name}.jsonl")
        self.dropped = read(folder / f"data/{name}.dropped.jsonl")
        self.manifest = json.loads((folder / f"data/{name}.manifest.json").read_text("utf-8"))
        self.reasons = Counter(row["dropped"] for row in self.dropped)
        self.notes = self.manifest["notes"]
        counts = self.manifest["counts"]
        assert counts["questions"] == counts["kept"] + sum(counts["dropped"].values())


@pytest.fixture
def alice(tmp_path, monkeypatch):
    """Build a stage over eight questions, four of them hard, with some answers replaced."""

    def run(
        stage="sft",
        task="gsm8k",
        roles=tuple(MODELS),
        options=None,
        part=None,
        dry_run=False,
        **settings,
    ):
        given = {key: settings.pop(key) for key in tuple(settings) if key in MODELS}
        rows = settings.pop("rows", None)
        run.requests = scripted(monkeypatch, ANSWERS | given)
        if rows is None:
            rows = [{"question": ask(n), "answer": str(2 * n), "id": str(n)} for n in range(8)]
        file = str(jsonl(tmp_path / "questions.jsonl", rows))
        specs = {role: MODELS[role] for role in roles}
        specs |= {"strong": "scripted:student"} if stage == "dpo" else {}
        specs |= {"student": MODELS["student"]} if stage == "original" else {}
        summary = build(
            Questions(tasks.get(task), file=file, part=part),
            Models(specs, options=options or {"chat": True}),
            method="alice",
            stage=stage,
            settings={"n": 10} | settings if stage in ("sft", "dpo") else settings,
            name="set",
            template="qwen",
            out=tmp_path / "data",
            configs=tmp_path / "configs",
            store=tmp_path / "store.sqlite",
            dry_run=dry_run,
        )
        return summary if dry_run else Built(tmp_path, "set")

    return run


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_the_student_is_by_default_the_untrained_base(tmp_path, stage):
    """Section 3: the student considers before any training; other methods' student is trained."""

    def student(**models):
        place = {"method": "alice", "stage": stage, "store": tmp_path / "store.sqlite"}
        questions = Questions(tasks.get("math"), limit=5)
        return build(questions, Models(models), **place, dry_run=True).models["student"]

    assert student() == "hf:bundled/strong"
    assert student(student="hf:bundled/middle") == "hf:bundled/middle"


def test_sure_answers_are_learnt_and_the_others_are_considered(alice):
    found = alice()
    assert Counter(row["label"] for row in found.rows) == {"original": 4, "new": 4}
    assert {row["id"]: row["output"] for row in found.rows} == {str(n): answer(n) for n in range(8)}
    for row in found.rows:
        assert row["instruction"] == f"Question: {ask(int(row['id']))}\nAnswer:"
        assert (row["entropy"] == 0) == (row["label"] == "original")
    asked = Counter(name for name, _ in alice.requests)
    assert asked == {"teacher": 8, "summarizer": 4, "student": 8}


def test_the_student_sees_everything_but_which_answer_is_right(alice):
    alice()
    final = [r for name, r in alice.requests if name == "student"][-4:]
    for request in final:
        shown = request.prompt[-1]["content"]
        n = number(shown)
        assert shown.count(answer(n)) == 2
        assert DOUBT in shown
        assert not re.search(r"(?i)correct answer|ground truth|gold", shown)


def test_without_a_summarizer_the_answers_and_the_parting_step_are_named(alice):
    alice(roles=("teacher", "student"))
    shown = [r.prompt[-1]["content"] for name, r in alice.requests if name == "student"][-1]
    assert "I am not sure whether the answer is 14 or 21." in shown
    assert 'I write "Box 7 holds 7 and 7: 7 + 7 = 14." and where I write "Box 7' in shown


def test_a_base_student_fills_in_a_form_and_sees_sure_answers_as_examples(alice):
    alice(roles=("teacher", "student"), style="base")
    shown = [r.prompt[-1]["content"] for name, r in alice.requests if name == "student"]
    assert shown[0].count("Question:") == 5
    assert shown[0].endswith(f"Question: {ask(4)}\nAnswer:")
    form = f"Question: {ask(4)}\nStudent: {answer(4)}\nTeacher: {answer(4)}\n"
    doubt = "Doubt: I am not sure whether the answer is 8 or 15.\nFinal answer:"
    assert shown[4] == form + doubt


def test_dpo_pairs_are_the_answers_that_the_student_refuted(alice):
    wrong = lambda prompt, i: answer(number(prompt), wrong=7 * (number(prompt) >= 6))  # noqa: E731
    found = alice(stage="dpo", student=wrong)
    assert found.reasons == {"teacher: sure": 4, "student: the teacher's answer": 2}
    assert [(row["id"], row["chosen"], row["rejected"]) for row in found.rows] == [
        (str(n), answer(n, wrong=7), answer(n)) for n in (6, 7)
    ]


def test_one_stage_sees_gold():
    stages = methods.load("alice").STAGES
    assert [name for name, stage in stages.items() if methods.sees_gold(stage)] == ["cot"]


# --- the original's defects (METHODS.md, section 2) ---------------------------------------------

ARC_ROWS = [
    {"question": f"Which box has number {n}, box number {n}?", "choices": ["red", "blue", "grey"],
     "answer": "B", "id": str(n)}
    for n in range(6)
]  # fmt: skip


def test_the_filter_gives_a_row_once(alice):
    """Published: a row whose answer is right by letter and by text is appended twice."""
    said = ["My choice is B.", "My choice is B. blue", "My choice is blue"]
    said += ["My choice is A.", "Blue?", "B"]
    found = alice(
        stage="cot",
        task="arc_challenge",
        roles=("teacher",),
        rows=ARC_ROWS,
        teacher=lambda prompt, i: f"Look. {said[number(prompt)]}",
        n=3,
    )
    assert [row["id"] for row in found.rows] == ["0", "1", "2"]
    assert found.reasons == {"teacher: wrong answer": 1, "teacher: no answer in the format": 2}
    assert found.manifest["gold_seen"]


def test_the_teacher_named_is_the_teacher_asked(alice, monkeypatch):
    """Published: `if teacher == '1B' or '3B'` holds for every teacher."""
    first = alice(stage="original", roles=("teacher",))
    monkeypatch.setitem(MODELS, "teacher", "scripted:summarizer")
    second = alice(stage="original", roles=("teacher",), summarizer=lambda p, i: "#### 3")
    assert {row["output"] for row in second.rows} == {"#### 3"}
    assert {row["output"] for row in first.rows}.isdisjoint({"#### 3"})


def test_the_question_is_carried_not_cut_out_of_a_prompt(alice):
    """Published: it is what a split of the rendered chat template leaves."""
    tricky = "user\n\nassistant\n<|im_start|>user Question: {}? Answer: {{ question }} box number 3"
    found = alice(rows=[{"question": tricky, "answer": "6", "id": "x"}])
    assert found.rows[0]["instruction"] == f"Question: {tricky}\nAnswer:"


def test_samples_are_asked_of_one_prompt(alice):
    """Published: the prompt is repeated a hundred times."""
    alice()
    sampled = [request for name, request in alice.requests if name == "teacher"]
    assert len(sampled) == 8
    assert {request.n for request in sampled} == {10}
    assert {(r.temperature, r.top_p) for r in sampled} == {(0.9, 0.95)}


def test_building_again_gives_the_same_bytes(alice, tmp_path):
    """Published: outputs are appended, so that a second run doubles the data."""
    alice()
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    alice()
    assert alice.requests == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before


def test_embeddings_are_computed_once(alice, monkeypatch):
    """Published: anew for every cluster."""
    import numpy as np

    asked = []

    def embed(texts):
        asked.append(texts)
        codes = [float(re.findall(r"#### ?(\d+)|: (\d+)$", text)[-1][1] or 0) for text in texts]
        return np.array([[np.cos(code), np.sin(code)] for code in codes])

    monkeypatch.setattr(methods.load("alice"), "embedder", lambda *given: embed)

    def trivia(prompt, i):
        n = number(prompt)
        return f"Sample {i % 7}.\nThe answer is: {2 * n + (n >= HARD and i % 5 in (1, 3))}"

    found = alice(task="triviaqa", teacher=trivia, student=trivia)
    assert Counter(row["label"] for row in found.rows) == {"original": 4, "new": 4}
    assert len(asked) == 8
    assert all(len(texts) == len(set(texts)) for texts in asked)


def test_each_response_is_embedded_once_while_a_question_is_sampled_on(alice, monkeypatch):
    import numpy as np

    asked = Counter()

    def embed(texts):
        asked.update(texts)
        return np.array([[float("12" in text), float("12" not in text)] for text in texts])

    monkeypatch.setattr(methods.load("alice"), "embedder", lambda *given: embed)
    texts = lambda p, i: f"{i} in box number {number(p)}.\nThe answer is: {12 + i % 2}"  # noqa: E731
    found = alice(task="triviaqa", teacher=texts, n=60, stop="decided", student=texts)
    assert found.notes["samples"]["asked"] > 8 * 20
    assert set(asked.values()) == {1}


@pytest.mark.parametrize("stage", ["original", "sft", "dpo"])
def test_gold_reaches_no_prompt(alice, stage):
    rows = [{"question": ask(n), "answer": "987654", "id": str(n)} for n in range(8)]
    alice(
        stage=stage,
        roles=("teacher",) if stage == "original" else tuple(MODELS),
        rows=rows,
        teacher=lambda prompt, i: answer(number(prompt), wrong=i % 2),
        student=lambda prompt, i: answer(number(prompt), wrong=2),
    )
    assert alice.requests
    assert not [r for _, r in alice.requests if "987654" in r.prompt_text()]


# --- bad replies at every round -----------------------------------------------------------------

BAD = {
    "empty": "",
    "cut off": ("Let me see, first of all I", "length"),
    "other language": "Ответ на этот вопрос мне неизвестен",
    "too long": "again and " * 100_000,
    "repeats the question": None,
}


def bad_reply(kind, prompt):
    return ask(number(prompt)) if BAD[kind] is None else BAD[kind]


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("role", ["teacher", "summarizer", "student", "final"])
def test_a_bad_reply_is_a_counted_drop(alice, role, kind):
    """The models answer badly about box 6, the student alone or at the end."""

    def bad(good):
        def reply(prompt, i):
            here = role != "final" and role != "student"
            here |= (role == "final") == ("A first try" in prompt)
            return bad_reply(kind, prompt) if number(prompt) == 6 and here else good(prompt, i)

        return reply

    name = "student" if role == "final" else role
    found = alice(**{name: bad(ANSWERS[name])})
    if role == "teacher":
        assert found.reasons == {f"teacher: {kind}": 1}
        assert found.notes["samples"][f"left out: {kind}"] == 10
    else:
        assert found.reasons == {f"{role}: {kind}": 1}
    assert len(found.rows) == 7
    assert all(row["output"].strip() for row in found.rows)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("stage", ["cot", "original"])
def test_a_bad_reply_of_the_teacher_is_a_counted_drop(alice, stage, kind):
    def reply(prompt, i):
        return bad_reply(kind, prompt) if number(prompt) == 6 else answer(number(prompt))

    found = alice(stage=stage, roles=("teacher",), teacher=reply)
    assert found.reasons == {f"teacher: {kind}": 1}
    assert len(found.rows) == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I think so.", "no answer in the format"),
        ("I'm sorry, I cannot say.\n#### 12", "refuses"),
        ("As an AI I count. #### 12", "refuses"),
        ("I am sorry for the confusion. #### 12", "refuses"),
        ("Unlike the other answer I add.\n#### 12", "talks about another answer"),
        ("It is easy.\n####", "no answer in the format"),
        ("The teacher is right.\n#### 12", "talks about another answer"),
        ("Unlike the other model I add.\n#### 12", "talks about another answer"),
        ("My previous answer holds.\n#### 12", "talks about another answer"),
        ("Both tries agree.\n#### 12", "talks about another answer"),
        ("That person forgot a box.\n#### 12", "talks about another answer"),
        ("My own try was right.\n#### 12", "talks about another answer"),
        ("The suggested answer is too large.\n#### 12", "talks about another answer"),
        ("The teacher's answer is too large.\n#### 12", "talks about another answer"),
    ],
)
def test_a_final_response_must_be_fit_to_be_learnt(alice, text, reason):
    def reply(prompt, i):
        here = number(prompt) == 6 and "A first try" in prompt
        return text if here else student(prompt, i)

    assert alice(student=reply).reasons == {f"final: {reason}": 1}


@pytest.mark.parametrize(
    "said",
    [
        "Plato was a student of Socrates.",
        "The first person to walk on the moon had 12 of them.",
        "The given solution is acidic.",
        "I cannot factor further.",
        "The two solutions are 0 and 12.",
        "The other solution is extraneous.",
        "None of the other answer choices holds.",
        "The other answers are wrong.",
        "The first model of the atom had 12 parts.",
        "It is I'm Sorry by Brenda Lee.",
    ],
)
def test_plain_sentences_are_no_talk_about_another_answer(alice, said):
    found = alice(student=lambda prompt, i: f"{said}\n#### {2 * number(prompt)}")
    assert not found.reasons


def test_a_question_about_teachers_may_be_answered(alice):
    rows = [{"question": "A teacher has box number 6. Twice that?", "answer": "12", "id": "t"}]
    said = "The teacher has 6 + 6 = 12.\n#### 12"
    found = alice(rows=rows, student=lambda p, i: said)
    assert [row["output"] for row in found.rows] == [said]


# --- the uncertainty in words -------------------------------------------------------------------

RULES = {
    "N/A": "N/A.",
    "longer than asked": "I doubt it. Do I? I do. I really do.",
    "speaks of responses": "The responses differ in the sum.",
    "empty": " ",
}


@pytest.mark.parametrize("kind", RULES)
def test_a_statement_that_breaks_the_rules_is_asked_for_once_more(alice, kind):
    def mends(prompt, i):
        again = "could not be used" in prompt
        return DOUBT if again or number(prompt) != 6 else RULES[kind]

    found = alice(summarizer=mends)
    assert (found.reasons, found.notes["samples"]["statements asked for again"]) == ({}, 1)


@pytest.mark.parametrize("kind", RULES)
def test_a_statement_that_breaks_them_twice_is_a_counted_drop(alice, kind):
    found = alice(summarizer=lambda p, i: DOUBT if number(p) != 6 else RULES[kind])
    assert found.reasons == {f"summarizer: {kind}": 1}
    assert Counter(number(r.prompt[-1]["content"]) for n, r in alice.requests
                   if n == "summarizer") == {4: 1, 5: 1, 6: 2, 7: 1}  # fmt: skip


# --- the sequential stop ------------------------------------------------------------------------


def test_the_stop_saves_samples_and_is_counted(alice):
    """A question that splits at once is decided early; one with a rare second answer is not."""
    found = alice(stop="decided", n=100, chunk=20)
    drawn = Counter()
    for name, request in alice.requests:
        if name == "teacher":
            drawn[number(request.prompt[-1]["content"])] += request.n
    assert all(20 <= drawn[n] < 100 for n in range(HARD, 8))
    assert all(60 <= drawn[n] <= 100 for n in range(HARD))
    assert found.notes["samples"]["asked"] == drawn.total()
    assert found.notes["generation saved"] == pytest.approx(1 - drawn.total() / 800)
    fixed = alice(n=100)
    assert fixed.rows == found.rows or [r["output"] for r in fixed.rows] == [
        r["output"] for r in found.rows
    ]


def test_the_stop_is_seeded(alice, tmp_path):
    one = alice(stop="decided", n=60, chunk=10).notes
    (tmp_path / "store.sqlite").unlink()
    assert alice(stop="decided", n=60, chunk=10).notes == one


# --- cascades -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_share_out_the_questions(alice, count):
    ids = []
    for i in range(1, count + 1):
        found = alice(part=(i, count))
        assert found.manifest["part"] == f"{i}/{count}"
        ids += [row["id"] for row in found.rows]
    assert sorted(ids) == [str(n) for n in range(8)]


def test_a_part_does_not_depend_on_the_order(tmp_path):
    rows = [{"question": ask(n), "id": str(n)} for n in range(9)]
    task = tasks.get("gsm8k")
    for i in (1, 2):
        one = Questions(task, file=str(jsonl(tmp_path / "a.jsonl", rows)), part=(i, 2))
        other = Questions(task, file=str(jsonl(tmp_path / "b.jsonl", rows[::-1])), part=(i, 2))
        assert {r["id"] for r in one.rows()} == {r["id"] for r in other.rows()}
        assert len(list(one.rows())) in (4, 5)


@pytest.mark.parametrize("part", [(0, 2), (3, 2)])
def test_a_part_that_is_none(part):
    with pytest.raises(W2SError, match=r"part must be i/N with 1 <= i <= N"):
        Questions(tasks.get("gsm8k"), part=part)


# --- killed in any round ------------------------------------------------------------------------

KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import pytest, scripted, test_alice as t
from w2s_data import show
show.QUIET = True
folder, role, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def counted(name):
    def reply(prompt, i):
        global left
        wanted = "student" if role == "final" else role
        last = (role == "final") == ("A first try" in prompt) or name != "student"
        if name == wanted and last:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return t.ANSWERS[name](prompt, i)
    return reply

with pytest.MonkeyPatch.context() as patch:
    scripted.scripted(patch, {{name: counted(name) for name in t.ANSWERS}})
    t.build(
        t.Questions(t.tasks.get("gsm8k"), file=str(folder / "q.jsonl")),
        t.Models(t.MODELS, options={{"chat": True}}), method="alice", stage="sft",
        settings={{"n": 10}}, name="set", template="qwen", out=folder / "data",
        configs=folder / "configs", store=folder / "store.sqlite",
    )
"""


def killed_at(folder, role, left):
    code = KILLED.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", code, str(folder), role, str(left)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(command, env=environment, check=False).returncode


def test_killed_in_any_round_it_goes_on_to_the_same_bytes(tmp_path):
    """SIGKILL at the first, a middle and the last reply of each round, one after the other."""
    names = ["set.jsonl", "set.dropped.jsonl", "set.manifest.json", "dataset_info.json"]
    results = []
    for place in ("undisturbed", "killed"):
        folder = tmp_path / place
        folder.mkdir()
        jsonl(folder / "q.jsonl", [{"question": ask(n), "id": str(n)} for n in range(8)])
        if place == "killed":
            for role, left in [("teacher", 35), ("summarizer", 2), ("student", 3), ("final", 1)]:
                assert killed_at(folder, role, left) == -signal.SIGKILL
                assert not (folder / "data/set.jsonl").exists()
        assert killed_at(folder, "nobody", 0) == 0
        results.append([(folder / "data" / name).read_bytes() for name in names])
    assert results[0] == results[1]


# --- long, short, cut off and open ---------------------------------------------------------------


def test_a_long_response_is_shown_with_its_answer(alice):
    """Both ends of it stand in the prompts of the summarizer and of the student."""
    long = "".join(f"Step {k} adds nothing to it. " for k in range(150))

    def wordy(prompt, i):
        return answer(number(prompt), wrong=7 * (i % 2)).replace("\n", f"\n{long}\n")

    alice(teacher=wordy, student=wordy)
    summary = next(r.prompt[-1]["content"] for name, r in alice.requests if name == "summarizer")
    assert summary.count("#### ") == 2
    assert len(summary) < 2 * len(long)
    last = alice.requests[-1][1].prompt[-1]["content"]
    assert last.count("####") == 3, "the student's answer, the teacher's and the format"


@pytest.mark.parametrize("stage", ["sft", "original"])
def test_an_answer_that_is_cut_off_is_not_learnt(alice, stage):
    """`#### 12` may be the beginning of 1200."""

    def cut(prompt, i):
        said = answer(number(prompt))
        return (said, "length") if number(prompt) == 6 else said

    found = alice(stage=stage, roles=("teacher", "student")[: 1 + (stage == "sft")], teacher=cut)
    assert found.reasons == {"teacher: cut off": 1}


def test_a_prompt_repeated_is_no_answer_however_short_the_question(alice):
    rows = [{"question": "Who? (box number 6)", "answer": "12", "id": "s"}]
    echo = lambda prompt, i: f"Question: Who? (box number 6)\nAnswer:\n#### {i % 2}"  # noqa: E731
    with pytest.raises(W2SError, match="repeats the question"):
        alice(stage="original", roles=("teacher",), rows=rows, teacher=echo)


TRIVIA = [
    {"question": f"Which river runs past box number {n} of the long wall?", "answer": "Rhine"}
    | {"id": str(n)}
    for n in range(4)
]


def river(prompt, i):
    """Sure of the first two questions."""
    return f"It flows.\nThe answer is: {'Rhine' if i % 5 or number(prompt) < 2 else 'Elbe'}"


@pytest.mark.parametrize("said", ["the Rhine", "the river Rhine"])
def test_an_open_answer_in_other_words_refutes_nothing(alice, said):
    student = lambda prompt, i: f"I see.\nThe answer is: {said}"  # noqa: E731
    settings = {"rows": TRIVIA, "task": "triviaqa", "cluster": "answer", "teacher": river}
    with pytest.raises(W2SError, match="2 teacher: sure; 2 student: the teacher's answer"):
        alice(stage="dpo", student=student, **settings)


def test_an_open_answer_of_another_meaning_refutes(alice):
    student = lambda prompt, i: "I see.\nThe answer is: Elbe"  # noqa: E731
    settings = {"rows": TRIVIA, "task": "triviaqa", "cluster": "answer", "teacher": river}
    found = alice(stage="dpo", student=student, **settings)
    assert [row["id"] for row in found.rows] == ["2", "3"]
    assert {row["chosen"] for row in found.rows} == {"I see.\nThe answer is: Elbe"}
    assert {row["rejected"] for row in found.rows} == {"It flows.\nThe answer is: Rhine"}


def test_open_answers_in_other_spellings_are_one_answer(alice):
    """By answer they are one cluster, and no doubt names both."""
    spelt = lambda prompt, i: f"It flows.\nThe answer is: {('Rhine', 'the Rhine')[i % 2]}"  # noqa: E731
    found = alice(task="triviaqa", rows=TRIVIA, cluster="answer", teacher=spelt)
    assert {row["label"] for row in found.rows} == {"original"}


def test_a_statement_may_use_words_of_the_question_and_initials(alice):
    rows = [{"question": ask(6) + " Name the immune response.", "answer": "12", "id": "x"}]
    said = "I doubt the immune response of C. S. Lewis. I doubt box number 6. I doubt it."
    assert not alice(rows=rows, summarizer=lambda p, i: said).reasons


def test_words_of_the_options_speak_of_no_other_answer(alice):
    rows = [
        {"question": ask(n), "choices": ["Take more samples.", "Make the first attempt longer."],
         "answer": "B", "id": str(n)}
        for n in range(8)
    ]  # fmt: skip
    said = "Making the first attempt longer helps.\nMy choice is B."
    found = alice(
        task="arc_challenge",
        rows=rows,
        teacher=lambda p, i: f"It holds.\nMy choice is {'BA'[number(p) >= HARD and i % 2]}.",
        summarizer=lambda p, i: "I am not sure whether to take more samples.",
        student=lambda p, i: said,
    )
    assert not found.reasons
    assert Counter(row["label"] for row in found.rows) == {"original": 4, "new": 4}


def test_a_teacher_that_never_answers_is_told_so(alice):
    quiet = lambda p, i: "I think so." if number(p) == 6 else answer(number(p))  # noqa: E731
    found = alice(teacher=quiet)
    assert found.reasons == {"teacher: no answer": 1}
    assert found.notes["samples"]["left out: no answer"] == 10


def stand_ins(monkeypatch, near):
    """Embeddings by what stands in the response: one direction for each word of `near`."""
    import numpy as np

    def embed(texts):
        return np.array([[float(word in text) for word in near] for text in texts])

    monkeypatch.setattr(methods.load("alice"), "embedder", lambda *given: embed)


def test_one_answer_in_several_meanings_is_sure(alice, monkeypatch):
    """No summarizer is asked what wavers there."""
    stand_ins(monkeypatch, ("flows", "runs"))
    told = lambda p, i: f"It {('flows', 'runs')[i % 2]}.\nThe answer is: Rhine"  # noqa: E731
    found = alice(task="triviaqa", rows=TRIVIA, teacher=told)
    assert Counter(row["label"] for row in found.rows) == {"original": 4}
    assert not [name for name, _ in alice.requests if name == "summarizer"]
    assert "sure, but answers differ" not in found.notes["samples"]


def test_answers_that_differ_within_one_meaning_are_counted_and_the_most_frequent_learnt(
    alice, monkeypatch
):
    stand_ins(monkeypatch, ("flows",))
    told = lambda p, i: f"It flows.\nThe answer is: {'Rhine' if i % 3 else 'Elbe'}"  # noqa: E731
    found = alice(task="triviaqa", rows=TRIVIA, teacher=told)
    assert {row["output"] for row in found.rows} == {"It flows.\nThe answer is: Rhine"}
    assert {row["label"] for row in found.rows} == {"original"}
    assert found.notes["samples"]["sure, but answers differ"] == 4


def test_a_threshold_that_would_make_a_question_sure_is_told(alice, monkeypatch, tmp_path):
    import numpy as np

    def embed(texts):
        return np.array([[1.0, 0.0] if "flows" in text else [0.6, 0.8] for text in texts])

    monkeypatch.setattr(methods.load("alice"), "embedder", lambda *given: embed)

    def told(prompt, i):
        return "It flows.\nThe answer is: Rhine" if i % 2 else "It runs.\nThe answer is: Elbe"

    found = alice(task="triviaqa", rows=TRIVIA, teacher=told, student=river)
    assert {row["label"] for row in found.rows} == {"new"}
    (one,) = explain("1", "set", folder=tmp_path / "data").decided
    assert (one.setting, one.then) == ("threshold", "kept as original")
    assert 0.59 < one.other <= 0.6


def test_a_dry_run_counts_what_it_can_and_says_what_hangs_on_answers(alice):
    empty = alice(dry_run=True).facts()
    assert empty["to generate"] == 80
    assert "hangs on the answers before" in empty["asked of student"]
    alice(roles=("teacher", "student"))
    told = alice(dry_run=True).facts()
    assert told["asked of summarizer: summary"] == "4 responses, 0 in store"
    assert told["asked of student: samples"] == "4 responses, 4 in store"
    assert told["asked of student: final"] == "4 responses, 0 in store"
    assert "could not be used" not in told["first prompt to summarizer: summary"]


def test_questions_of_one_text_have_samples_of_their_own_while_they_are_sampled_on(alice):
    rows = [{"question": ask(6), "answer": "12", "id": str(n)} for n in range(2)]
    some = lambda prompt, i: answer(6, wrong=7 * (i < 20 and i % 2))  # noqa: E731
    found = alice(rows=rows, stop="decided", n=60, teacher=some)
    asked = [(r.start, r.start + r.n) for name, r in alice.requests if name == "teacher"]
    assert all(start // 60 == (end - 1) // 60 for start, end in asked)
    assert found.notes["samples"]["asked"] == sum(end - start for start, end in asked)
    assert {row["label"] for row in found.rows} == {"original", "new"}


def test_every_response_that_is_asked_for_is_counted(alice, monkeypatch):
    """Also where a round comes twice: a statement is asked for again, a question sampled on."""
    counted, real = [], build
    monkeypatch.setattr(
        sys.modules[__name__], "build", lambda *a, **k: counted.append(real(*a, **k))
    )
    again = lambda p, i: DOUBT if number(p) != 6 or "could not be" in p else "N/A"  # noqa: E731
    alice(summarizer=again, stop="decided", n=60)
    facts = counted[0].facts()
    assert facts["asked of summarizer: summary"] == "5 responses, 0 in store"
    total = counted[0].notes["samples"]["asked"]
    assert facts["asked of teacher: samples"] == f"{total} responses, 0 in store"


@pytest.mark.parametrize("task", ["gsm8k", "math", "arc_challenge", "hotpotqa", "triviaqa"])
def test_every_task_goes_through_the_four_rounds(alice, task):
    """With real embeddings for the open questions."""
    if task in ("hotpotqa", "triviaqa"):
        pytest.importorskip("sentence_transformers", reason="needs the extra embeddings")
    places, letters = ("Rhine", "Mount Everest"), "AB"

    def said(prompt, wrong):
        if task == "arc_challenge":
            return f"Look at the box.\nMy choice is {letters[wrong]}."
        if task in ("hotpotqa", "triviaqa"):
            return f"It is {places[wrong]}.\nThe answer is: {places[wrong]}"
        mark = "####" if task == "gsm8k" else "The answer is:"
        return f"I count.\n{mark} {2 * number(prompt) + wrong}"

    arc = {"choices": ["red", "blue"], "answer": "A"}
    gold = arc if task == "arc_challenge" else {"answer": "5"}
    rows = [{"question": ask(n), "id": str(n)} | gold for n in range(8)]
    found = alice(
        task=task,
        rows=rows,
        teacher=lambda p, i: said(p, int(number(p) >= HARD and i % 5 in (1, 3))),
        student=lambda p, i: said(p, 0),
    )
    assert Counter(row["label"] for row in found.rows) == {"original": 4, "new": 4}
    six_to_four = 0.6 * math.log(1 / 0.6) + 0.4 * math.log(1 / 0.4)
    entropies = [row["entropy"] for row in found.rows if row["label"] == "new"]
    assert entropies == [pytest.approx(six_to_four)] * 4
    opened = task in ("hotpotqa", "triviaqa")
    assert found.notes.get("embedding") == (weights_of("minilm").fingerprint if opened else None)
