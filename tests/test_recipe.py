import re
from pathlib import Path

import pytest
import yaml

from w2s_data import recipe
from w2s_data.errors import W2SError

ROOT = Path(__file__).parent.parent
# A build's own recipe lies beside these folders, so it is left alone.
CONFIGS = sorted((ROOT / "factory_configs").glob("*/*.yaml"))
PROMPT = "Question: Ann has 3 apples and buys 4. How many?\nAnswer:"
RESPONSE = "She has 3+4=7 apples.\nThe answer is: $\\boxed{7}$"


def llamafactory(*parts):
    return pytest.importorskip(".".join(("llamafactory", *parts)), reason="needs the extra `train`")


def test_the_folder_is_what_the_generator_writes(tmp_path):
    written = {p.relative_to(tmp_path): p.read_bytes() for p in recipe.generate(tmp_path)}
    folder = ROOT / "factory_configs"
    files = [*CONFIGS, folder / "deepspeed_zero3.json"]
    stored = {p.relative_to(folder): p.read_bytes() for p in files}
    assert stored == written, "run `w2s-data recipes`"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_llamafactory_takes_every_key(path, tmp_path, monkeypatch):
    parser = llamafactory("hparams", "parser")
    monkeypatch.setenv("LLAMAFACTORY_VERBOSITY", "ERROR")
    values = yaml.safe_load(path.read_text()) | {"output_dir": str(tmp_path), "use_cpu": True}
    model, data, training, finetuning, _ = parser.get_train_args(values)
    assert training.do_train
    assert training.overwrite_output_dir
    assert data.overwrite_cache
    assert data.template == "fewshot"
    assert (training.bf16, training.fp16) == (values["bf16"], False)
    assert finetuning.stage == values["stage"]
    assert training.learning_rate == values["learning_rate"]
    assert model.adapter_name_or_path == (
        [values["adapter_name_or_path"]] if "adapter_name_or_path" in values else None
    )


def test_yaml_says_no_in_quotes_and_rates_as_numbers():
    text = recipe.text(recipe.recipe("sft", model="strong", dataset="d", output_dir="o", seed=1))
    assert "save_strategy: 'no'" in text
    assert yaml.safe_load(text)["save_strategy"] == "no"
    assert all(
        isinstance(yaml.safe_load(path.read_text())["learning_rate"], float) for path in CONFIGS
    )


def test_yaml_round_trip_of_awkward_values(tmp_path):
    values = recipe.recipe(
        "dpo",
        model="/a b/c: #d/é",
        dataset="123",
        output_dir="yes",
        adapter="null",
        template="qwen",
        neat_packing=False,
    )
    path = tmp_path / "deep" / "r.yaml"
    recipe.write(path, values, header="one\n\ntwo: 'x'")
    assert yaml.safe_load(path.read_text("utf-8")) == values
    assert path.read_text("utf-8").startswith("# one\n#\n# two: 'x'\n\n### model\n")


def make(stage="sft", **changes):
    given = {"model": "some/model", "dataset": "d", "output_dir": "o"} | changes
    return recipe.recipe(stage, **given)


@pytest.mark.parametrize(
    ("stage", "loss"), [("dpo", "sigmoid"), ("orpo", "orpo"), ("simpo", "simpo")]
)
def test_preference_stages_are_dpo_with_a_loss(stage, loss):
    values = make(stage)
    assert (values["stage"], values["pref_loss"]) == ("dpo", loss)


@pytest.mark.parametrize(
    ("stage", "measured"), [("sft", False), ("dpo", True), ("orpo", False), ("kto", True)]
)
def test_going_on_from_an_adapter_measures_against_it(stage, measured):
    values = make(stage, adapter="saves/a")
    assert values["adapter_name_or_path"] == "saves/a"
    assert (values.get("ref_model_adapters") == "saves/a") is measured
    assert (values.get("ref_model") == "some/model") is measured


def test_overrides_win_and_none_takes_a_key_out():
    values = make(learning_rate=3e-3, lora_rank=None, max_steps=5)
    assert values["learning_rate"] == 3e-3
    assert values["max_steps"] == 5
    assert "lora_rank" not in values


def test_cpu_keys_for_the_bundled_pair_only():
    assert make(model="strong")["use_cpu"] is True
    assert make(model="/elsewhere/w2s_data/bundled/models/strong/")["bf16"] is False
    assert "use_cpu" not in make()
    assert make(cpu=True)["use_cpu"] is True


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stage": "dop"}, "did you mean 'dpo'"),
        ({"finetuning": "qlora"}, "finetuning must be lora or full, was: 'qlora'"),
        ({"finetuning": "full", "adapter": "a"}, "merge it first"),
    ],
)
def test_mistakes_are_one_sentence(changes, says):
    with pytest.raises(W2SError, match=says):
        make(**changes)


def test_a_folder_without_a_tokenizer_is_one_sentence(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(W2SError, match="holds no tokenizer that can be loaded"):
        make(model=str(tmp_path))


# What the backends' tokenizers look like: byte-level with and without a first token (Llama-3,
# Qwen2.5), and words with a leading "▁" (Llama-2, Gemma, Mistral).
LOOKS = {"bytes": "", "bytes-bos": "<|begin_of_text|>", "metaspace-bos": "<s>"}


@pytest.fixture(scope="module", params=LOOKS)
def tokenizer(request, tmp_path_factory):
    """A tokenizer of one of LOOKS, saved and loaded as a model's folder is."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    first = LOOKS[request.param]
    special = [first or "<unused>", "</s>"]
    if request.param == "metaspace-bos":
        raw = Tokenizer(models.BPE(byte_fallback=True))
        raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        raw.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
        alphabet = []
    else:
        raw = Tokenizer(models.BPE())
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator([f"{PROMPT} {RESPONSE}\n\n"] * 3, trainer)
    if first:
        raw.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, raw.token_to_id(first))]
        )
    folder = tmp_path_factory.mktemp(request.param)
    bos = {"bos_token": first} if first else {}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="</s>", **bos
    ).save_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def encode(tokenizer, values):
    """(prompt ids, label ids) as LLaMA-Factory's SFT makes them under the recipe `values`."""
    loader = llamafactory("data", "loader")
    template = llamafactory("data", "template")
    hparams = llamafactory("hparams")
    data = hparams.DataArguments(
        template=values["template"],
        default_system=values.get("default_system"),
        cutoff_len=values["cutoff_len"],
    )
    before = {name: t.default_system for name, t in template.TEMPLATES.items()}
    try:
        chosen = template.get_template_and_fix_tokenizer(tokenizer, data)
        processor = loader._get_dataset_processor(data, "sft", chosen, tokenizer, None)
        turn = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": RESPONSE}]
        batch = {"_prompt": [turn[:1]], "_response": [turn[1:]], "_system": [""], "_tools": [""]}
        out = processor.preprocess_dataset(
            batch | {key: [None] for key in ("_images", "_videos", "_audios")}
        )
    finally:
        for name, system in before.items():
            template.TEMPLATES[name].default_system = system
    ids, labels = out["input_ids"][0], out["labels"][0]
    learned = [label for label in labels if label != -100]
    assert labels == [-100] * (len(ids) - len(learned)) + learned
    return ids[: len(ids) - len(learned)], learned


def test_the_model_is_trained_on_the_prompt_it_is_sampled_with(tokenizer):
    values = make(model=tokenizer.name_or_path)
    assert values.get("default_system", "") == recipe.bos(tokenizer.name_or_path)
    prompt, learned = encode(tokenizer, values)
    assert prompt == tokenizer(PROMPT)["input_ids"]
    assert learned[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(learned[:-1]).lstrip(" ") == RESPONSE + "\n\n"


def test_without_the_recipes_cure_fewshot_leaves_the_first_token_out(tokenizer):
    values = make(model=tokenizer.name_or_path, default_system=None)
    prompt, _ = encode(tokenizer, values)
    first = recipe.bos(tokenizer.name_or_path)
    sampled = tokenizer(PROMPT)["input_ids"]
    assert prompt == (sampled[1:] if first else sampled)


@pytest.mark.parametrize("name", ["weak", "strong"])
def test_bundled_models_are_as_the_table_says(name):
    folder = ROOT / recipe.MODELS[name].path
    if not folder.is_dir():
        pytest.skip("the bundled models are not in this checkout")
    assert recipe.bos(str(folder)) == recipe.MODELS[name].bos


def test_every_named_model_has_a_complete_set_of_recipes():
    kinds = {"sft_full", "sft_lora", "dpo", "orpo", "simpo", "kto"}
    for name, model in recipe.MODELS.items():
        assert {p.stem for p in CONFIGS if p.parent.name == name} == kinds
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        for path in CONFIGS:
            if path.parent.name == name:
                values = yaml.safe_load(path.read_text())
                assert values["model_name_or_path"] == model.path
                assert values.get("default_system", "") == model.bos
