"""Whatever stands in dataset_info.json, manifest or recipe: a finding or one sentence."""

import json

import good
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2s_data.check import check
from w2s_data.check.entries import COLUMNS, OTHER_KEYS, SOURCES, TAGS
from w2s_data.check.formats import FORMATS, render
from w2s_data.errors import W2SError
from w2s_data.factory import INFO

EVERY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
ATOMS = st.none() | st.booleans() | st.integers(-5, 9**9) | st.text(max_size=5)
ATOMS |= st.sampled_from(["set.jsonl", ".", "instruction", "chosen", "alpaca", "sharegpt", "\0"])
VALUES = ATOMS | st.lists(ATOMS, max_size=2) | st.dictionaries(st.text(max_size=3), ATOMS)
MAPS = VALUES | st.dictionaries(st.sampled_from([*COLUMNS, *TAGS]), VALUES)
ENTRIES = st.dictionaries(st.sampled_from([*SOURCES[3:], *OTHER_KEYS]), MAPS)
COUNTS = st.dictionaries(st.sampled_from(["questions", "kept", "rows", "dropped"]), VALUES)
MANIFEST_KEYS = st.sampled_from(["counts", "files", "method", "stage", "trains", "task", "source"])
RECIPE_KEYS = ["stage", "dataset", "eval_dataset", "output_dir", "val_size", "cutoff_len"]
RECIPE_KEYS += ["interleave_probs", "mix_strategy", "eval_strategy", "template", "tokenized_path"]


def survives(folder, **given):
    try:
        found = check(folder, ask_trainer=False, **given)
    except W2SError:
        return
    for format in FORMATS:
        render(found, format).encode("utf-8")


@EVERY
@given(ENTRIES)
def test_any_entry(tmp_path_factory, entry):
    folder = tmp_path_factory.mktemp("hostile")
    good.write(folder, rows=2)
    (folder / INFO).write_text(json.dumps({"set": {"file_name": "set.jsonl"} | entry}))
    survives(folder)


@EVERY
@given(VALUES | st.dictionaries(MANIFEST_KEYS, VALUES | COUNTS))
def test_any_manifest(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("hostile")
    good.write(folder, rows=2)
    (folder / "set.manifest.json").write_text(json.dumps(manifest))
    survives(folder)


@EVERY
@given(st.dictionaries(st.sampled_from(RECIPE_KEYS), VALUES))
def test_any_recipe(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("hostile")
    good.write(folder, rows=2)
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"dataset_dir": str(folder), "dataset": "set"} | values))
    survives(None, recipe=recipe)


def test_nesting_without_end(tmp_path):
    good.write(tmp_path, rows=2)
    (tmp_path / "set.manifest.json").write_text("[" * 100_000)
    assert [one.code for one in check(tmp_path, ask_trainer=False)] == ["M104"]
    (tmp_path / INFO).write_text('{"a":' * 100_000)
    assert [one.code for one in check(tmp_path, ask_trainer=False)] == ["W302"]
