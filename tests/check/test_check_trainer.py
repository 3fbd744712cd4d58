"""What needs LLaMA-Factory's template and a tokenizer: cuts, ends, prompts. With the real ones."""

import copy
import json

import good
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_check_planted import World

from w2s_data.check import check, trainer

EVERY = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
CUTOFF = 400
QWEN = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Qwen, created by Alibaba "
    "Cloud. You are a helpful assistant.<|im_end|>\n{% endif %}{% for m in messages %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)


def tokenizer(folder, bos=False, chat=None):
    """A tokenizer of bytes: one token a character."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["</s>", "<s>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: n for n, token in enumerate([*special, *alphabet])}
    raw = Tokenizer(models.BPE(vocabulary, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(special)
    if bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
        )
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>", bos_token="<s>")
    made.chat_template = chat
    made.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("llamafactory", reason="needs the extra `train`")
    root = tmp_path_factory.mktemp("models")
    return {
        "plain": tokenizer(root / "plain"),
        "bos": tokenizer(root / "bos", bos=True),
        "qwen": tokenizer(root / "qwen", chat=QWEN),
        "brief": tokenizer(root / "brief", chat=QWEN.replace("You are Qwen", "Be Qwen")),
    }


@pytest.fixture
def in_process(monkeypatch, tmp_path_factory):
    """LLaMA-Factory asked in this process: it starts once."""
    from llamafactory.data import template

    def ask(sets, arguments, model):
        kept = copy.deepcopy(template.TEMPLATES)
        try:
            return trainer._answer(sets, arguments, model, str(tmp_path_factory.mktemp("cache")))
        finally:
            template.TEMPLATES.update(kept)

    monkeypatch.setattr(trainer, "ask", ask)


def codes(found):
    return sorted({one.code for one in found})


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "pt"])
@pytest.mark.parametrize("format", ["alpaca", "sharegpt"])
def test_cut_rows_are_named(tmp_path_factory, models, in_process, stage, format):
    if (stage, format) == ("pt", "sharegpt"):
        pytest.skip("no such sets")
    parts = {"sft": "output", "dpo": "rejected", "kto": "output", "pt": "text"}

    @EVERY
    @given(st.integers(0, 10**6), st.booleans())
    def cut(seed, question):
        world = World(tmp_path_factory.mktemp("world"), seed, stage, format)
        assert codes(world.check(ask_trainer=True, **given_model)) == []
        part = "instruction" if question and stage != "pt" else parts[stage]
        long = " " + good.sentence(world.draw, 150)
        row = world.rows[world.at]
        if format == "alpaca":
            world.change(**{part: row[part] + long})
        elif part == "rejected":
            world.change(rejected=row["rejected"] | {"value": row["rejected"]["value"] + long})
        else:
            row["conversations"][0 if question else -1]["value"] += long
            world.write()
        found = [one for one in world.check(ask_trainer=True, **given_model)]
        wanted = "W602" if question and stage != "pt" else "W601"
        assert wanted in [one.code for one in found]
        assert {one.code for one in found} <= {"W601", "W602"}
        for one in found:
            assert [place.row for place in one.places] == [world.at + 1]
            assert f"{100 / len(world.rows):.1f} %" in one.message

    given_model = {"model": models["plain"], "template": "fewshot", "cutoff_len": CUTOFF}
    cut()


@pytest.mark.parametrize(("extra", "cut"), [(-1, False), (0, False), (1, True)])
def test_the_last_token_counts(tmp_path, models, in_process, extra, cut):
    """fewshot adds two line ends and one end of sequence; the tokenizer has a token a byte."""
    rows = good.write(tmp_path, stage="dpo", rows=1)
    rows[0]["instruction"] = "What?"
    good.rewrite(tmp_path, rows)
    exact = len("What?") + max(len(rows[0]["chosen"]), len(rows[0]["rejected"])) + 3
    found = check(tmp_path, model=models["plain"], template="fewshot", cutoff_len=exact - extra)
    assert codes(found) == (["W601"] if cut else [])
    if cut:
        (one,) = found
        assert "1 of them its end of sequence" in one.message
        assert f"longest row has {exact} tokens" in one.message


@pytest.mark.parametrize(
    ("template", "model", "more", "wanted"),
    [
        ("fewshot", "plain", {}, []),
        ("empty", "plain", {}, ["W703"]),
        ("no_such", "plain", {}, ["W701"]),
        ("fewshot", "bos", {}, ["W704"]),
        ("fewshot", "bos", {"default_system": "<s>"}, []),
        ("qwen", "qwen", {}, []),
        ("qwen", "brief", {}, ["W702"]),
        ("alpaca", "plain", {}, []),
    ],
)
def test_template(tmp_path, models, in_process, template, model, more, wanted):
    world = World(tmp_path, 1)
    world.plan(template=template, model_name_or_path=models[model], **more)
    found = world.check(ask_trainer=True)
    assert codes(found) == wanted
    assert all(one.set == "recipe.yaml" for one in found)


def test_a_system_message_replaces_the_first_token(tmp_path, models, in_process):
    world = World(tmp_path, 3)
    world.plan(model_name_or_path=models["bos"], default_system="<s>")
    world.change(system="Be brief.\n")
    (one,) = world.check(ask_trainer=True)
    assert one.code == "W705"
    assert [place.row for place in one.places] == [world.at + 1]
    world.change(system="<s>Be brief.\n")
    assert codes(world.check(ask_trainer=True)) == []


def test_positions_of_the_model(tmp_path, models, in_process):
    world = World(tmp_path, 3)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    more = {"template": "fewshot", "model": str(tmp_path / "model")}
    assert codes(world.check(cutoff_len=512, select=["W603"], **more)) == []
    assert codes(world.check(cutoff_len=513, select=["W603"], **more)) == ["W603"]


def test_special_tokens_are_the_tokenizers_own(tmp_path, models, in_process):
    world = World(tmp_path, 3)
    world.change(chosen=world.rows[world.at]["chosen"] + " <|eot_id|>")
    assert codes(world.check()) == ["W804"]
    assert codes(world.check(ask_trainer=True, model=models["plain"], template="fewshot")) == []


def test_without_llama_factory_a_bound_is_used(tmp_path, models, monkeypatch):
    monkeypatch.setattr(trainer, "installed", lambda: False)
    world = World(tmp_path, 3)
    world.change(rejected=good.sentence(world.draw, 150))
    found = check(tmp_path, model=models["plain"], template="fewshot", cutoff_len=CUTOFF)
    (one,) = found
    assert (one.code, [place.row for place in one.places]) == ("W601", [world.at + 1])
    assert any("not installed" in what for what in found.skipped)
    found = check(tmp_path, model=str(tmp_path), template="fewshot")
    assert any("no tokenizer" in what for what in found.skipped)
