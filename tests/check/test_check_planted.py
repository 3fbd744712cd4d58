"""Each rule finds its fault, planted in a good set at a random place, and names the row; good sets
give no findings."""

import json
import random
from pathlib import Path

import good
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2s_data import factory
from w2s_data.check import RULES, check, trainer
from w2s_data.io import file_hash, write_json

EVERY = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
SHAPES = [(stage, format) for stage in ("sft", "dpo", "kto", "pt") for format in factory.FORMATS]
SHAPES.remove(("pt", "sharegpt"))


class World:
    """A good data folder, and what a fault changes in it."""

    def __init__(self, folder: Path, seed: int, stage="dpo", format="alpaca"):
        self.folder, self.draw = folder, random.Random(seed)
        self.stage, self.format, self.seed = stage, format, seed
        self.rows = good.write(folder, seed, stage, format)
        self.at = self.draw.randrange(len(self.rows))
        self.options: dict = {}
        self.recipe: dict | None = None

    def change(self, **values):
        """Change the row at the random place."""
        self.rows[self.at] |= values
        self.write()

    def write(self):
        good.rewrite(self.folder, self.rows)

    def entry(self, change):
        good.change_entry(self.folder, change)

    def plan(self, **values):
        """A recipe over the set."""
        sound = {
            "stage": "dpo" if self.stage == "dpo" else self.stage,
            "do_train": True,
            "dataset": "set",
            "dataset_dir": str(self.folder),
            "output_dir": str(self.folder / "out"),
            "template": "fewshot",
            "save_strategy": "no",
        }
        self.recipe = sound | values

    def manifest(self, **values):
        """The manifest of a build that wrote the set."""
        number = len(self.rows)
        sound = {
            "method": "reasoning",
            "stage": "dpo",
            "trains": "dpo",
            "task": "math",
            "source": "file",
            "gold_seen": False,
            "counts": {"questions": number, "kept": number, "dropped": {}, "rows": number},
            "files": {"set.jsonl": file_hash(self.folder / "set.jsonl")},
        }
        write_json(self.folder / "set.manifest.json", sound | values)

    def check(self, **more):
        given = {"ask_trainer": False} | self.options | more
        if self.recipe is None:
            return check(self.folder, **given)
        path = self.folder / "recipe.yaml"
        path.write_text(json.dumps(self.recipe))
        return check(recipe=path, **given)


PLANTS = {}


def plant(code, stage="dpo", format="alpaca"):
    """A fault of `code`; its function returns the row number that must be named, None for none."""

    def register(function):
        PLANTS.setdefault(code, []).append((function, stage, format))
        return function

    return register


def here(world):
    return world.at + 1


# the state of a run


@plant("W001")
def old_output(world):
    (world.folder / "out").mkdir()
    (world.folder / "out" / "adapter_model.safetensors").write_text("")
    world.plan()


@plant("W002")
def old_tokens(world):
    (world.folder / "tokens").mkdir()
    (world.folder / "tokens" / "state.json").write_text("")
    world.plan(tokenized_path=str(world.folder / "tokens"))


@plant("W003")
def unquoted_no(world):
    world.plan(**{world.draw.choice(["save_strategy", "eval_strategy", "logging_strategy"]): False})


@plant("W004")
def interleave_once(world):
    world.plan(mix_strategy="interleave_once")
    from importlib import metadata

    if not metadata.version("datasets").startswith(("2.", "3.", "4.0.")):
        pytest.skip("this `datasets` knows it")


@plant("W005")
def both_evaluations(world):
    good.write(world.folder, world.seed, name="held")
    world.plan(val_size=0.1, eval_dataset="held")


@plant("W006")
def nothing_to_evaluate(world):
    world.plan(eval_strategy="steps")


@plant("W007")
def wrong_shares(world):
    good.write(world.folder, world.seed, name="more")
    bad = [{"interleave_probs": "0.5,0.5"}, {"mix_strategy": "interleave_over"}]
    bad[1] |= {"interleave_probs": world.draw.choice(["0.5", "0.9,0.9"])}
    world.plan(dataset="set,more", **world.draw.choice(bad))


@plant("W008")
def no_training(world):
    world.plan(do_train=False)


# maps


@plant("W101")
@plant("W101", "sft")
@plant("W101", "kto", "sharegpt")
def absent_column(world):
    world.entry(lambda e: e["columns"].update({world.draw.choice(sorted(e["columns"])): "nowhere"}))


@plant("W102", "sft", "sharegpt")
def misspelt_key(world):
    def misspell(entry):
        map = world.draw.choice([entry, entry["columns"], entry["tags"]])
        map["sytem"] = "system"

    world.entry(misspell)


@plant("W103")
@plant("W103", "kto")
def incomplete_columns(world):
    part = world.draw.choice(["chosen", "rejected"] if world.stage == "dpo" else ["kto_tag"])
    world.options["stage"] = world.stage
    world.entry(lambda e: e["columns"].pop(part))


@plant("W104", "sft", "sharegpt")
def incomplete_tags(world):
    world.entry(lambda e: e["tags"].pop(world.draw.choice(["role_tag", "user_tag"])))


@plant("W105", "sft")
def unmapped_column(world):
    world.change(input="More of the question.")
    world.entry(lambda e: e["columns"].pop("query"))


@plant("W106")
def formatting(world):
    world.entry(lambda e: e.update(formatting=world.draw.choice(["chatml", "", None, "Alpaca"])))


@plant("W107", "sft", "sharegpt")
def openai(world):
    world.entry(lambda e: e.update(formatting="openai"))


@plant("W108")
def one_column(world):
    world.entry(lambda e: e["columns"].update(rejected="chosen"))


# ranking


@plant("W201")
def ranking_text(world):
    world.entry(lambda e: e.update(ranking=world.draw.choice(["true", 1, "yes", "false"])))


@plant("W202")
@plant("W202", "sft")
def ranking_wrong(world):
    world.options["stage"] = world.stage
    world.entry(lambda e: e.update(ranking=world.stage == "sft"))


@plant("W203")
def ranking_missing(world):
    world.options["stage"] = "sft"
    world.entry(lambda e: e.pop("ranking"))


@plant("W204")
def tag_in_pairs(world):
    for row in world.rows:
        row["tag"] = True
    world.write()
    world.entry(lambda e: e["columns"].update(kto_tag="tag"))


# names and paths


@plant("W301")
def undefined(world):
    world.plan(dataset="st")


@plant("W302")
def broken_info(world):
    path = world.folder / factory.INFO
    whole = path.read_text()
    path.write_text(whole[: world.draw.randrange(1, len(whole) - 2)])


@plant("W303")
def absent_file(world):
    world.entry(lambda e: e.update(file_name=f"{world.draw.random()}.jsonl"))


@plant("W304")
def file_type(world):
    (world.folder / "set.tsv").write_text("a\tb\n")
    world.entry(lambda e: e.update(file_name="set.tsv"))


@plant("W305")
def comma(world):
    path = world.folder / factory.INFO
    path.write_text(json.dumps({"a,b": json.loads(path.read_text())["set"]}))


@plant("W306")
def named_twice(world):
    world.plan(dataset="set, set")


@plant("W307")
def bad_entry(world):
    world.entry(lambda e: e.update(columns=world.draw.choice([None, [], "instruction"])))


@plant("W308")
def script(world):
    world.entry(lambda e: e.update(script_url=e.pop("file_name")))


@plant("W309")
def two_sources(world):
    world.entry(lambda e: e.update(hf_hub_url="someone/set"))


@plant("W310")
def num_samples(world):
    world.entry(lambda e: e.update(num_samples=world.draw.randrange(1, 99)))


# types and loading


@plant("W401")
def torn_line(world):
    path = world.folder / "set.jsonl"
    lines = path.read_text().splitlines()
    bad = ["{", lines[world.at][:-5], lines[world.at] + ",", "\ufeff" + lines[world.at], "[1]"]
    lines[world.at] = world.draw.choice(bad if world.at else bad[:3])
    path.write_text("\n".join(lines) + "\n")
    return here(world)


@plant("W401")
def other_type(world):
    world.at = max(1, world.at)
    world.change(chosen=world.draw.choice([3, ["a"], {"b": 1}]))
    return here(world)


@plant("W401")
def latin(world):
    path = world.folder / "set.jsonl"
    lines = path.read_bytes().splitlines()
    lines[world.at] = lines[world.at].replace(b"answer", b"answer \xe9")
    path.write_bytes(b"\n".join(lines) + b"\n")
    return here(world)


@plant("W402")
def null_side(world):
    world.change(**{world.draw.choice(["chosen", "rejected"]): None})
    return here(world)


@plant("W402", "sft")
def null_response(world):
    if world.draw.random() < 0.5:
        del world.rows[world.at]["output"]
    world.change(output=None)
    return here(world)


@plant("W402", "dpo", "sharegpt")
def null_message(world):
    world.change(**{world.draw.choice(["chosen", "rejected"]): None})
    return here(world)


@plant("W403", "kto")
@plant("W403", "kto", "sharegpt")
def null_tag(world):
    world.change(kto_tag=None)
    return here(world)


@plant("W404", "sft")
def dates(world):
    for row in world.rows:
        row["output"] = f"20{world.draw.randrange(10, 30)}-0{world.draw.randrange(1, 9)}-11"
    world.write()


@plant("W405", "sft")
def all_null(world):
    for row in world.rows:
        row["output"] = None
    world.write()


@plant("W406", "sft", "sharegpt")
def null_content(world):
    world.rows[world.at]["conversations"][world.draw.randrange(2)]["value"] = None
    world.write()
    return here(world)


@plant("W407", "sft")
def late_system(world):
    world.rows = [good.row(world.draw, i, "sft") for i in range(1010)]
    world.rows = [factory.records(row, "sft")[0] | {"system": None} for row in world.rows]
    world.at = world.draw.randrange(1000, 1010)
    world.options["select"] = ["W4"]
    world.change(system="Be brief.")
    return here(world)


@plant("W408", "sft")
def two_on_a_line(world):
    path = world.folder / "set.jsonl"
    lines = path.read_text().splitlines()
    del lines[world.at :]
    more = good.row(world.draw, 99, "sft")
    path.write_text("\n".join(lines) + json.dumps(factory.records(more, "sft")[0]) * 2)


@plant("W409", "sft")
def bad_tools(world):
    for row in world.rows:
        row["tools"] = ""
    world.entry(lambda e: e["columns"].update(tools="tools"))
    world.change(tools=world.draw.choice(["add", "{}x", '[{"name": 1}]']))
    return here(world)


# roles


@plant("W501", "sft", "sharegpt")
@plant("W501", "dpo", "sharegpt")
def wrong_role(world):
    said = world.rows[world.at]["conversations"]
    said[0]["from"] = world.draw.choice(["user", "gpt", "USER", ""])
    world.write()
    return here(world)


@plant("W502", "sft", "sharegpt")
def wrong_number(world):
    said = world.rows[world.at]["conversations"]
    world.rows[world.at]["conversations"] = world.draw.choice([said[:1], [*said, said[0]]])
    world.write()
    return here(world)


@plant("W503", "sft", "sharegpt")
def no_conversation(world):
    world.change(conversations=None)
    return here(world)


@plant("W504", "dpo", "sharegpt")
def wrong_speaker(world):
    world.rows[world.at][world.draw.choice(["chosen", "rejected"])]["from"] = "human"
    world.write()
    return here(world)


# content


@plant("W801")
@plant("W801", "sft")
@plant("W801", "kto")
def empty(world):
    part = world.draw.choice(
        ["instruction"] if world.stage == "kto" else sorted(PARTS[world.stage])
    )
    world.change(**{part: world.draw.choice(["", " ", "\n\t"])})
    return here(world)


PARTS = {"dpo": {"instruction", "chosen", "rejected"}, "sft": {"instruction", "output"}}


@plant("W802")
def same(world):
    world.change(rejected=world.rows[world.at]["chosen"] + world.draw.choice(["", "\n", " "]))
    return here(world)


@plant("W803")
def same_answer(world):
    world.options["task"] = "math"
    answer = world.rows[world.at]["chosen"].rpartition(" ")[2]
    other = world.draw.choice([answer, f"{answer}.0", f"\\frac{{{int(answer) * 2}}}{{2}}"])
    world.change(rejected=f"{good.sentence(world.draw)}.\nThe answer is: {other}")
    return here(world)


@plant("W804")
@plant("W804", "sft", "sharegpt")
def special(world):
    token = world.draw.choice(["<|im_end|>", "</s>", "<|endoftext|>", "[/INST]", "<|eot_id|>"])
    if world.format == "sharegpt":
        world.rows[world.at]["conversations"][world.draw.randrange(2)]["value"] += token
        world.write()
    else:
        part = world.draw.choice(["instruction", "chosen", "rejected"])
        world.change(**{part: world.rows[world.at][part] + token})
    return here(world)


@plant("W805", "kto")
def one_tag(world):
    for row in world.rows:
        row["kto_tag"] = bool(world.seed % 2)
    world.write()


@plant("W806")
def loop(world):
    again = good.sentence(world.draw, world.draw.randrange(2, 12)) + ". "
    start = world.rows[world.at]["chosen"]
    world.change(chosen=start + again * world.draw.randrange(14, 40))
    return here(world)


@plant("W807", "kto")
def empty_and_true(world):
    world.at = next(i for i, row in enumerate(world.rows) if row["kto_tag"] and i >= world.at % 11)
    world.change(output="")
    return here(world)


@plant("W808")
def turn_number(world):
    world.change(instruction="What is {{idx}} + 1?" + world.rows[world.at]["instruction"])
    return here(world)


@plant("W809")
def broken_text(world):
    part = world.draw.choice(["instruction", "chosen", "rejected"])
    world.change(**{part: world.rows[world.at][part] + world.draw.choice("\ufffd\x00\x1b\x85")})
    return here(world)


@plant("W810")
def no_answer(world):
    world.options["task"] = "math"
    world.change(chosen=good.sentence(world.draw))
    return here(world)


# duplicates and leakage


@plant("W901")
@plant("W901", "sft", "sharegpt")
def copied(world):
    world.at = max(1, world.at)
    world.change(**world.rows[world.draw.randrange(world.at)] | {"id": "copy"})
    return here(world)


@plant("W902")
def nearly_copied(world):
    world.at = max(1, world.at)
    first = world.rows[world.draw.randrange(world.at)]
    first["chosen"] = good.sentence(world.draw, 150)
    world.change(**first | {"id": "near", "chosen": first["chosen"] + " indeed"})
    return here(world)


@plant("W903")
def opposite(world):
    world.at = max(1, world.at)
    first = world.rows[world.draw.randrange(world.at)]
    swapped = {"chosen": first["rejected"], "rejected": first["chosen"], "id": "other"}
    world.change(**first | swapped)
    return here(world)


@plant("W911")
def split_by_row(world):
    world.at = max(1, world.at)
    world.plan(val_size=0.1)
    first = world.rows[world.draw.randrange(world.at)]
    world.change(instruction=first["instruction"])
    return here(world)


@plant("W912")
def evaluated_and_trained(world):
    held = good.write(world.folder, world.seed, name="held")
    if world.draw.random() < 0.5:
        world.plan(eval_dataset="held")
    else:
        info = json.loads((world.folder / factory.INFO).read_text())
        info["set_test"] = info.pop("held")
        (world.folder / factory.INFO).write_text(json.dumps(info))
    world.change(instruction=held[world.draw.randrange(len(held))]["instruction"])
    return here(world)


@plant("W913")
def trained_on_the_test(world):
    (world.folder / "test").mkdir()
    test = world.folder / "test" / "test.jsonl"
    asked = world.rows[world.at]["instruction"]
    asked = asked.removeprefix("Question: ").removesuffix("\nAnswer:")
    test.write_text(json.dumps({"id": "t", "question": asked}))
    world.options["test"] = test
    return here(world)


@plant("W914")
def partly_tested(world):
    asked = world.rows[world.at]["instruction"].split()
    test = world.folder / "test.jsonl"
    words = " ".join(asked[2:14])
    test.write_text(json.dumps({"id": "t", "question": f"Look: {words} what else is there?"}))
    world.options["test"] = test
    return here(world)


# manifest


@plant("M101")
def edited(world):
    world.manifest()
    world.change(chosen="Another answer.\nThe answer is: 7")


@plant("M102")
def miscounted(world):
    counts = {"questions": 12, "kept": 12, "dropped": {}, "rows": 12}
    counts |= world.draw.choice([{"kept": 11}, {"dropped": {"tie": 1}}, {"rows": 13}])
    world.manifest(counts=counts)


@plant("M103")
def gold_told_wrongly(world):
    world.manifest(gold_seen=True)


@plant("M104")
def torn_manifest(world):
    world.manifest()
    path = world.folder / "set.manifest.json"
    whole = path.read_text()
    path.write_text(whole[: world.draw.randrange(1, len(whole) - 2)])


# what LLaMA-Factory and a tokenizer are needed for is planted in test_check_trainer.py
ELSEWHERE = {"W410", "W601", "W602", "W603", "W701", "W702", "W703", "W704", "W705"}
CASES = [(code, *one) for code, planted in PLANTS.items() for one in planted]


def test_every_rule_has_a_fault():
    assert set(PLANTS) | ELSEWHERE == set(RULES)
    assert not set(PLANTS) & ELSEWHERE


@pytest.mark.parametrize(
    ("code", "fault", "stage", "format"),
    CASES,
    ids=[f"{code}-{fault.__name__}-{stage}" for code, fault, stage, _ in CASES],
)
def test_a_planted_fault_is_named(tmp_path_factory, code, fault, stage, format):
    @EVERY
    @given(st.integers(0, 10**6))
    def planted(seed):
        world = World(tmp_path_factory.mktemp("world"), seed, stage, format)
        row = fault(world)
        found = [one for one in world.check() if one.code == code]
        assert found, f"{code} was not found"
        assert all(one.message and one.way_out and one.file for one in found)
        if row is not None:
            assert {place.row for one in found for place in one.places} == {row}
            assert {place.line for one in found for place in one.places} == {row}

    planted()


@pytest.mark.parametrize(("stage", "format"), SHAPES)
def test_a_good_set_gives_no_findings(tmp_path_factory, stage, format):
    @EVERY
    @given(st.integers(0, 10**6))
    def sound(seed):
        world = World(tmp_path_factory.mktemp("world"), seed, stage, format)
        world.options["task"] = "math" if stage != "pt" else None
        assert [(one.code, one.message) for one in world.check()] == []
        if stage == "dpo":
            world.manifest()
        held = good.write(world.folder, seed, stage, format, name="held")
        assert held != world.rows
        world.plan(eval_dataset="held", eval_strategy="epoch")
        assert [(one.code, one.message) for one in world.check()] == []

    sound()


def test_an_evaluation_set_is_held_against_its_own_training_set(tmp_path):
    for name in ("a", "a_eval", "b"):
        good.write(tmp_path, name=name)
    good.rewrite(tmp_path, good.write(tmp_path, name="b"), "a_eval")
    assert [(one.code, one.set) for one in check(tmp_path, ask_trainer=False)] == []
    good.rewrite(tmp_path, good.write(tmp_path, name="a"), "a_eval")
    found = check(tmp_path, ask_trainer=False)
    assert [(one.code, one.set, one.count) for one in found] == [("W912", "a", 12)]


def test_another_verdict_of_the_trainer_is_told(tmp_path, monkeypatch):
    world = World(tmp_path, 1)
    monkeypatch.setattr(trainer, "installed", lambda: True)
    theirs = {"name": "set", "fails": None, "rows": 12, "dropped": [world.at]}
    answer = {"sets": [theirs], "template": {}}
    monkeypatch.setattr(trainer, "ask", lambda *given: answer)
    assert [one.code for one in world.check(ask_trainer=True)] == ["W410"]
    theirs |= {"dropped": [], "fails": "ValueError: no"}
    assert [one.code for one in world.check(ask_trainer=True)] == ["W410"]
    theirs["fails"] = None
    assert [one.code for one in world.check(ask_trainer=True)] == []
