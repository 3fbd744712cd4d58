"""Sets in the shapes of LLaMA-Factory's own demos, sound and with the mistakes people make."""

import json

import pytest

from w2s_data.check import check

CHAT_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user"}
CHAT_TAGS |= {"assistant_tag": "assistant"}
TOOL = {"name": "get_news", "description": "Read the news.", "parameters": {}}
TOOL["parameters"] = {"type": "object", "properties": {"topic": {"type": "string"}}}
CALL = json.dumps({"name": "get_news", "arguments": {"topic": "rain"}})


def said(*turns):
    return [{"from": who, "value": text} for who, text in turns]


def demos() -> dict:
    """Name -> (entry, rows)."""
    chosen, rejected = said(("gpt", "Paris is the capital.")), said(("gpt", "It is Lyon, I think."))
    spoken = [
        {"role": "user", "content": "Name a river."},
        {"role": "assistant", "content": "The Loire is a river."},
    ]
    tools = said(
        ("human", "What is new about rain?"),
        ("function_call", CALL),
        ("observation", '{"news": "It rains."}'),
        ("gpt", "It rains, the papers say."),
    )
    return {
        "identity": (
            {"file_name": "identity.json"},
            [
                {"instruction": "hi", "input": "", "output": "Hello! I am a helper."},
                {"instruction": "Who made you?", "input": "", "output": "Some people did."},
            ],
        ),
        "alpaca_demo": (
            {"file_name": "alpaca_demo.json"},
            [{"instruction": "Translate.", "input": "chat", "output": "cat", "system": ""}] * 1
            + [{"instruction": "Add two and two.", "input": "", "output": "Four.", "system": ""}],
        ),
        "toolcall_demo": (
            {
                "file_name": "toolcall_demo.json",
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "tools": "tools"},
            },
            [{"conversations": tools, "tools": json.dumps([TOOL])}],
        ),
        "dpo_demo": (
            {
                "file_name": "dpo_demo.json",
                "ranking": True,
                "formatting": "sharegpt",
                "columns": {
                    "messages": "conversations",
                    "chosen": "chosen",
                    "rejected": "rejected",
                },
            },
            [
                {
                    "conversations": said(("human", "What is the capital of France?")),
                    "chosen": chosen[0],
                    "rejected": rejected[0],
                }
            ],
        ),
        "kto_demo": (
            {
                "file_name": "kto_demo.json",
                "formatting": "sharegpt",
                "columns": {"messages": "messages", "kto_tag": "label"},
                "tags": CHAT_TAGS,
            },
            [
                {"messages": spoken, "label": True},
                {"messages": [spoken[0], spoken[1] | {"content": "A stone."}], "label": False},
            ],
        ),
        "c4_demo": (
            {"file_name": "c4_demo.jsonl", "columns": {"prompt": "text"}},
            [{"text": "Rivers run to the sea."}, {"text": "Stones do not."}],
        ),
    }


def write(folder, sets):
    info = {}
    for name, (entry, rows) in sets.items():
        path = folder / entry["file_name"]
        whole = json.dumps(rows, indent=2)
        by_line = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(by_line if path.suffix == ".jsonl" else whole)
        info[name] = entry
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def test_sound_demos(tmp_path):
    found = check(write(tmp_path, demos()), ask_trainer=False)
    notes = {(one.set, one.code) for one in found}
    assert notes <= {("alpaca_demo", "W105")}, "its system column is there and not mapped"
    assert len(found.sets) == 6


def drop_tags(entry, rows):
    entry.pop("tags")


def drop_ranking(entry, rows):
    entry.pop("ranking")


def word_for_label(entry, rows):
    for row in rows:
        row["label"] = "true" if row["label"] else "false"


def last_word_to_the_user(entry, rows):
    rows[0]["conversations"].append({"from": "human", "value": "Thanks."})


def half_a_map(entry, rows):
    entry["columns"] = {"prompt": "instruction"}


def answer_as_number(entry, rows):
    for row in rows:
        row["output"] = 4


def two_same(entry, rows):
    rows[0]["rejected"] = rows[0]["chosen"]


def tools_as_object(entry, rows):
    rows[0]["tools"] = json.loads(rows[0]["tools"])


@pytest.mark.parametrize(
    ("name", "mistake", "code"),
    [
        ("kto_demo", drop_tags, "W503"),
        ("kto_demo", word_for_label, "W403"),
        ("dpo_demo", drop_ranking, "W203"),
        ("dpo_demo", two_same, "W802"),
        ("toolcall_demo", last_word_to_the_user, "W502"),
        ("toolcall_demo", tools_as_object, "W409"),
        ("alpaca_demo", half_a_map, "W405"),
        ("identity", answer_as_number, "W404"),
        ("c4_demo", half_a_map, "W101"),
    ],
)
def test_mistakes_people_make(tmp_path, name, mistake, code):
    sets = demos()
    mistake(*sets[name])
    found = check(write(tmp_path, sets), [name], ask_trainer=False, stage=STAGE.get(mistake))
    assert code in {one.code for one in found.of("error")}


STAGE = {half_a_map: "sft"}
