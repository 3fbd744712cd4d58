"""The dataset card: what the hub reads in its header, what a person reads below it."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import card
from w2s_data.io import write_rows

MANIFEST = {
    "w2s_data": "0.2.0",
    "name": "pairs",
    "method": "reasoning",
    "stage": "dpo",
    "settings": {"n": 10, "confidence": 0.6},
    "format": "alpaca",
    "seed": 42,
    "trains": "dpo",
    "task": "gsm8k",
    "split": "train_2",
    "source": "hub",
    "models": {"weak": {"spec": "hf:meta-llama/Llama-2-7b-hf+saves/floor", "fingerprint": "f"}},
    "gold_seen": False,
    "counts": {"questions": 1000, "kept": 464, "dropped": {"too easy": 536}, "rows": 464},
    "files": {"pairs.jsonl": "0", "pairs.dropped.jsonl": "1"},
}


def header(text):
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("\n---\n")[0])


def test_the_header_is_what_the_hub_reads(tmp_path):
    found = header(card.card(MANIFEST, 464))
    assert found["configs"] == [
        {"config_name": "pairs", "data_files": [{"split": "train", "path": "pairs.jsonl"}]}
    ]
    assert found["size_categories"] == ["n<1K"]
    assert found["task_categories"] == ["text-generation"]
    assert {"weak-to-strong", "dpo", "reasoning", "gsm8k"} <= set(found["tags"])
    assert "license" not in found


def test_the_hubs_own_client_reads_it(tmp_path):
    from huggingface_hub import DatasetCard

    (tmp_path / "README.md").write_text(card.card(MANIFEST, 464))
    loaded = DatasetCard.load(tmp_path / "README.md")
    assert loaded.data.pretty_name == "pairs"
    assert "# pairs" in loaded.text


def test_datasets_loads_the_set_by_the_card(tmp_path):
    """A folder as `push` leaves it on the hub: the card says which file is which split."""
    datasets = pytest.importorskip("datasets")
    manifest = MANIFEST | {"files": {"pairs.jsonl": "0", "pairs.eval.jsonl": "1"}}
    write_rows(tmp_path / "pairs.jsonl", [{"id": "a", "chosen": "x"}, {"id": "b", "chosen": "y"}])
    write_rows(tmp_path / "pairs.eval.jsonl", [{"id": "c", "chosen": "z"}])
    write_rows(tmp_path / "pairs.dropped.jsonl", [{"id": "d", "dropped": "too easy"}])
    (tmp_path / "README.md").write_text(card.card(manifest, 2))
    loaded = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: loaded[split]["id"] for split in loaded} == {"train": ["a", "b"], "eval": ["c"]}


SIZES = {0: "n<1K", 999: "n<1K", 1000: "1K<n<10K", 99_999: "10K<n<100K", 10**6: "n>1M"}


@pytest.mark.parametrize(("rows", "size"), SIZES.items())
def test_size_category(rows, size):
    assert header(card.card(MANIFEST, rows))["size_categories"] == [size]


def test_what_a_person_reads():
    text = card.card(MANIFEST, 464)
    for words in ("| questions | 1,000 of", "| kept | 464 |", "| dropped: too easy | 536 |"):
        assert words in text
    for words in ("`hf:meta-llama/Llama-2-7b-hf+saves/floor`", "| `confidence` | `0.6` |"):
        assert words in text
    entry = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert entry["pairs"]["ranking"] is True


def test_gold_is_told():
    assert "| ground truth | not seen |" in card.card(MANIFEST, 1)
    seen = card.card(MANIFEST | {"gold_seen": True}, 1)
    assert "| ground truth | seen by this stage |" in seen
    assert "read ground truth" in seen.partition("## Limits")[2]


def test_a_rebuild_keeps_license_and_words_of_the_owner(tmp_path):
    write_rows(tmp_path / "pairs.jsonl", [{"id": "a"}] * 3)
    place = card.write(tmp_path, MANIFEST)
    assert place == tmp_path / "pairs.README.md"
    first = place.read_text()
    card.write(tmp_path, MANIFEST)
    assert place.read_text() == first
    place.write_text(first.replace(card.LICENSE, "license: mit") + "\nCite us.\n")
    card.write(tmp_path, MANIFEST | {"seed": 7})
    text = place.read_text()
    assert header(text)["license"] == "mit"
    assert text.endswith("\nCite us.\n")
    assert "| seed | 7 |" in text


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_any_name_leaves_the_header_and_tables_whole(name, other):
    manifest = MANIFEST | {
        "name": name,
        "task": other,
        "settings": {other: name},
        "models": {"weak": {"spec": other, "fingerprint": ""}},
        "counts": {"questions": 1, "kept": 0, "dropped": {name: 1}, "rows": 0},
    }
    text = card.card(manifest, 0)
    found = header(text)
    assert found["pretty_name"] == found["configs"][0]["config_name"] == name
    assert other in found["tags"]
    body = text.partition("\n---\n")[2]
    tables = [line for line in body.split("\n") if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 3 for line in tables)
    assert sum("dropped:" in line for line in tables) == 1
