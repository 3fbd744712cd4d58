"""Malformed (and some sound) sets, as a table: name -> (stage, entry, file name, content).

`python tests/check/malformed.py` prints our verdict on each beside LLaMA-Factory's own.
"""

import json
import tempfile
from pathlib import Path

from w2s_data import factory
from w2s_data.check import Findings, check, trainer

SFT = {"columns": {"prompt": "instruction", "query": "input", "response": "output"}}
PAIR = {
    "ranking": True,
    "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"},
}
KTO = {"columns": {"prompt": "instruction", "response": "output", "kto_tag": "tag"}}
TEXT = {"columns": {"prompt": "text"}}
CHAT = {"formatting": "sharegpt", "columns": {"messages": "conversations"}}
CHAT_PAIR = {
    "formatting": "sharegpt",
    "ranking": True,
    "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
}
CHAT_KTO = {
    "formatting": "sharegpt",
    "columns": {"messages": "conversations", "kto_tag": "tag"},
}
OPENAI_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def sft(**change):
    return {"instruction": "What is 1 + 1?", "input": "", "output": "It is 2."} | change


def pair(**change):
    return {"instruction": "What is 1 + 1?", "chosen": "It is 2.", "rejected": "It is 3."} | change


def kto(**change):
    return sft(tag=True) | change


def said(*turns):
    """said("human", "a", "gpt", "b"): messages."""
    pairs = zip(turns[::2], turns[1::2], strict=True)
    return [{"from": who, "value": text} for who, text in pairs]


TURN = ("human", "What is 1 + 1?", "gpt", "It is 2.")


def chat(*turns, **rest):
    return {"conversations": said(*turns or TURN)} | rest


def chat_pair(*turns, **change):
    chosen, rejected = said("gpt", "It is 2.", "gpt", "It is 3.")
    return (
        chat(*turns or ("human", "What is 1 + 1?")) | {"chosen": chosen, "rejected": rejected}
    ) | change


def openai(*turns):
    pairs = zip(turns[::2], turns[1::2], strict=True)
    return {"messages": [{"role": who, "content": text} for who, text in pairs]}


def lines(*rows, end="\n"):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).rstrip("\n") + end


def without(map, *names):
    return {key: value for key, value in map.items() if key not in names}


def columns(entry, **change):
    merged = {k: v for k, v in (entry["columns"] | change).items() if v}
    return entry | {"columns": merged}


def _rows(stage, entry, *rows):
    return stage, entry, "set.jsonl", lines(*rows)


OPENAI = {
    "formatting": "openai",
    "columns": {"messages": "messages"},
    "tags": OPENAI_TAGS,
}
CALL = '{"name": "add", "arguments": {"a": 1}}'
TOOLS = '[{"name": "add", "description": "", "parameters": {"properties": {}}}]'
CSV = "instruction,input,output\n"

CASES = {
    # sound
    "sound sft": _rows("sft", SFT, sft(), sft()),
    "sound sft without maps": _rows("sft", {}, sft(), sft()),
    "sound dpo": _rows("dpo", PAIR, pair(), pair()),
    "sound kto": _rows("kto", KTO, kto(), kto(tag=False)),
    "sound pt": _rows("pt", TEXT, {"text": "a"}, {"text": "b"}),
    "sound sharegpt": _rows("sft", CHAT, chat(), chat("system", "Be brief.", *TURN)),
    "sound sharegpt dpo": _rows("dpo", CHAT_PAIR, chat_pair(), chat_pair()),
    "sound sharegpt kto": _rows("kto", CHAT_KTO, chat(tag=True), chat(tag=False)),
    "sound openai": _rows("sft", OPENAI, openai("user", "a", "assistant", "b")),
    "sound history": _rows(
        "sft", columns(SFT, history="history"), sft(history=[["a", "b"]]), sft(history=[])
    ),
    "sound tools": _rows(
        "sft",
        columns(CHAT, tools="tools"),
        chat("human", "a", "function_call", CALL, "observation", "2", "gpt", "b", tools=TOOLS),
    ),
    "sound json list": ("sft", SFT, "set.json", json.dumps([sft(), sft()])),
    "sound csv": ("sft", SFT, "set.csv", CSV + "a,b,c\nd,e,f\n"),
    "sound txt": ("pt", TEXT, "set.txt", "one\ntwo\nthree\n"),
    "txt with a blank line": ("pt", TEXT, "set.txt", "one\n\nthree\n"),
    # maps
    "no input column and no map": _rows("sft", {}, without(sft(), "input")),
    "mapped column absent": _rows("sft", columns(SFT, response="answer"), sft()),
    "mapped prompt absent": _rows("sft", columns(SFT, prompt="question"), sft()),
    "response not mapped": _rows("sft", columns(SFT, response=None), sft(), sft()),
    "prompt not mapped": _rows("sft", columns(SFT, prompt=None, query=None), sft()),
    "misspelt response": _rows(
        "sft", {"columns": {"prompt": "instruction", "reponse": "output"}}, sft()
    ),
    "columns empty": _rows("sft", {"columns": {}}, sft()),
    "columns null": _rows("sft", {"columns": None}, sft()),
    "columns a list": _rows("sft", {"columns": ["instruction", "output"]}, sft()),
    "column is a number": _rows("sft", columns(SFT, response=1), sft()),
    "chosen not mapped": _rows("dpo", columns(PAIR, chosen=None), pair(), pair()),
    "rejected absent": _rows("dpo", columns(PAIR, rejected="worse"), pair(), pair()),
    "kto tag not mapped": _rows("kto", columns(KTO, kto_tag=None), kto(), kto(tag=False)),
    "kto tag absent": _rows("kto", columns(KTO, kto_tag="label"), kto(), kto(tag=False)),
    "kto response not mapped": _rows("kto", columns(KTO, response=None), kto(), kto(tag=False)),
    "messages not mapped": _rows("sft", CHAT | {"columns": {"system": "s"}}, chat(s="x")),
    "system absent": _rows("sft", columns(SFT, system="system"), sft()),
    "tags empty": _rows("sft", CHAT | {"tags": {}}, chat()),
    "tags without roles": _rows(
        "sft", CHAT | {"tags": {"role_tag": "from", "content_tag": "value"}}, chat()
    ),
    "tags without observation": _rows(
        "sft",
        CHAT
        | {
            "tags": {
                "role_tag": "from",
                "content_tag": "value",
                "user_tag": "human",
                "assistant_tag": "gpt",
            }
        },
        chat(),
        chat("system", "x", *TURN),
    ),
    "tags of another format": _rows("sft", CHAT | {"tags": OPENAI_TAGS}, chat()),
    "tag for content misspelt": _rows(
        "sft", CHAT | {"tags": {**OPENAI_TAGS, "role_tag": "from", "content_tag": "text"}}, chat()
    ),
    "user and assistant the same tag": _rows(
        "sft",
        CHAT
        | {
            "tags": OPENAI_TAGS
            | {
                "role_tag": "from",
                "content_tag": "value",
                "user_tag": "gpt",
                "assistant_tag": "gpt",
            }
        },
        chat("gpt", "a", "gpt", "b"),
    ),
    "formatting unknown": _rows("sft", SFT | {"formatting": "chatml"}, sft()),
    "formatting null": _rows("sft", SFT | {"formatting": None}, sft()),
    "alpaca rows as sharegpt": _rows("sft", {"formatting": "sharegpt"}, sft()),
    "sharegpt rows as alpaca": _rows("sft", {}, chat()),
    "unknown key in the entry": _rows("sft", SFT | {"comment": "x"}, sft()),
    "prompt and response one column": _rows("sft", columns(SFT, response="instruction"), sft()),
    # ranking
    "ranking missing": _rows("dpo", without(PAIR, "ranking"), pair(), pair()),
    "ranking for sft": _rows("sft", PAIR, pair(), pair()),
    "ranking 'true'": _rows("dpo", PAIR | {"ranking": "true"}, pair(), pair()),
    "ranking 'true' for sft": _rows("sft", PAIR | {"ranking": "true"}, pair(), pair()),
    "ranking 'false' for dpo": _rows("dpo", PAIR | {"ranking": "false"}, pair(), pair()),
    "ranking 1": _rows("dpo", PAIR | {"ranking": 1}, pair(), pair()),
    "ranking 0 for dpo": _rows("dpo", PAIR | {"ranking": 0}, pair(), pair()),
    "ranking null for sft": _rows("sft", SFT | {"ranking": None}, sft()),
    "ranking null for dpo": _rows("dpo", PAIR | {"ranking": None}, pair()),
    "pairs for kto": _rows("kto", PAIR, pair(), pair()),
    "ranking with a kto tag": _rows(
        "dpo", columns(PAIR, kto_tag="tag", response="chosen"), pair(tag=True), pair(tag=False)
    ),
    # names and paths
    "not defined": ("sft", None, "set.jsonl", lines(sft())),
    "file not there": ("sft", SFT | {"file_name": "other.jsonl"}, "set.jsonl", lines(sft())),
    "file type unknown": ("sft", SFT, "set.tsv", "a\tb\n"),
    "file without a suffix": ("sft", SFT, "set", lines(sft())),
    "jsonl in capitals": ("sft", SFT, "set.JSONL", lines(sft())),
    "entry is a text": ("sft", "set.jsonl", "set.jsonl", lines(sft())),
    "entry without a source": ("sft", SFT | {"file_name": ...}, "set.jsonl", lines(sft())),
    "script": ("sft", SFT | {"script_url": "script"}, "set.jsonl", lines(sft())),
    "name with a comma": ("sft", SFT, "a,b.jsonl", lines(sft())),
    "split test of a file": _rows("sft", SFT | {"split": "test"}, sft()),
    "split null": _rows("sft", SFT | {"split": None}, sft()),
    # types
    "response null": _rows("sft", SFT, sft(), sft(output=None), sft()),
    "response missing": _rows("sft", SFT, sft(), without(sft(), "output"), sft()),
    "all responses null": _rows("sft", SFT, sft(output=None), sft(output=None)),
    "all responses numbers": _rows("sft", SFT, sft(output=2), sft(output=3)),
    "responses of mixed types": _rows("sft", SFT, sft(), sft(output=3)),
    "response a list": _rows("sft", SFT, sft(output=["a", "b"]), sft(output=["a"])),
    "response an object": _rows("sft", SFT, sft(output={"text": "a"})),
    "responses all dates": _rows("sft", SFT, sft(output="2024-01-31"), sft(output="2023-12-01")),
    "responses dates and times": _rows("sft", SFT, *[sft(output="2024-01-31 10:00:00")] * 2),
    "one response not a date": _rows("sft", SFT, sft(output="2024-01-31"), sft(output="May")),
    "prompts all dates": _rows("sft", SFT, sft(instruction="2024-01-31")),
    "prompt a number": _rows("sft", SFT, sft(instruction=1), sft(instruction=2)),
    "prompt zero": _rows("sft", SFT, sft(instruction=0)),
    "prompt null": _rows("sft", SFT, sft(), sft(instruction=None)),
    "query a list": _rows("sft", SFT, sft(input=["a"])),
    "empty response": _rows("sft", SFT, sft(output=""), sft()),
    "system a number": _rows("sft", columns(SFT, system="system"), sft(system=3)),
    "system null": _rows("sft", columns(SFT, system="system"), sft(system="x"), sft(system=None)),
    "system after 1,000 rows": _rows(
        "sft", columns(SFT, system="system"), *[sft(system=None)] * 1000, sft(system="x")
    ),
    "response after 1,000 rows": _rows("sft", SFT, *[sft(output=None)] * 1100, sft()),
    "system within 1,000 rows": _rows(
        "sft", columns(SFT, system="system"), *[sft(system=None)] * 999, *[sft(system="x")] * 2
    ),
    "tools not json": _rows("sft", columns(SFT, tools="tools"), sft(tools="add")),
    "tools an object": _rows("sft", columns(SFT, tools="tools"), sft(tools={"name": "add"})),
    "history of triples": _rows(
        "sft", columns(SFT, history="history"), sft(history=[["a", "b", "c"]])
    ),
    "history with null": _rows("sft", columns(SFT, history="history"), sft(history=[["a", None]])),
    "history null": _rows(
        "sft", columns(SFT, history="history"), sft(history=None), sft(history=[["a", "b"]])
    ),
    "chosen null": _rows("dpo", PAIR, pair(), pair(chosen=None)),
    "rejected missing": _rows("dpo", PAIR, pair(), without(pair(), "rejected")),
    "chosen a list": _rows("dpo", PAIR, pair(chosen=["a"]), pair(chosen=["b"])),
    "rejected a number": _rows("dpo", PAIR, pair(rejected=3)),
    "chosen is rejected": _rows("dpo", PAIR, pair(rejected="It is 2.")),
    "kto tag 'true'": _rows("kto", KTO, kto(tag="true"), kto(tag="false")),
    "kto tag 1": _rows("kto", KTO, kto(tag=1), kto(tag=0)),
    "kto tag null": _rows("kto", KTO, kto(), kto(tag=None), kto(tag=False)),
    "kto tag missing": _rows("kto", KTO, kto(), sft(), kto(tag=False)),
    "kto tag and response null": _rows(
        "kto", KTO, kto(), kto(tag=None, output=None), kto(tag=False)
    ),
    "kto last row null": _rows("kto", KTO, kto(), kto(tag=False), kto(tag=None, output=None)),
    "kto tag null, response empty": _rows("kto", KTO, kto(), kto(tag=None, output=""), kto()),
    "kto true and empty": _rows("kto", KTO, kto(output=""), kto(tag=False)),
    "kto response null": _rows("kto", KTO, kto(output=None), kto(tag=False)),
    "kto of one tag": _rows("kto", KTO, kto(), kto()),
    "kto rows for sft": _rows("sft", KTO, kto(), kto(tag=False)),
    "sft rows for kto": _rows("kto", SFT, sft(), sft()),
    "kto tags in csv": ("kto", KTO, "set.csv", "instruction,output,tag\na,b,true\nc,d,False\n"),
    "kto tags 1 in csv": ("kto", KTO, "set.csv", "instruction,output,tag\na,b,1\nc,d,0\n"),
    "text null": _rows("pt", TEXT, {"text": "a"}, {"text": None}),
    "text a number": _rows("pt", TEXT, {"text": 1}),
    # files
    "empty file": ("sft", SFT, "set.jsonl", ""),
    "blank lines only": ("sft", SFT, "set.jsonl", "\n\n"),
    "empty list": ("sft", SFT, "set.json", "[]"),
    "blank lines between": ("sft", SFT, "set.jsonl", lines(sft()) + "\n\n" + lines(sft())),
    "no end of line": ("sft", SFT, "set.jsonl", lines(sft(), sft(), end="")),
    "byte order mark": ("sft", SFT, "set.jsonl", b"\xef\xbb\xbf" + lines(sft(), sft()).encode()),
    "byte order mark, one row": ("sft", SFT, "set.jsonl", b"\xef\xbb\xbf" + lines(sft()).encode()),
    "byte order mark before a list": (
        "sft",
        SFT,
        "set.json",
        b"\xef\xbb\xbf" + json.dumps([sft()]).encode(),
    ),
    "byte order mark in csv": ("sft", SFT, "set.csv", b"\xef\xbb\xbf" + (CSV + "a,b,c\n").encode()),
    "latin-1": ("sft", SFT, "set.jsonl", lines(sft(), sft(output="caf\u00e9")).encode("latin-1")),
    "latin-1 csv": ("sft", SFT, "set.csv", (CSV + "a,b,caf\u00e9\n").encode("latin-1")),
    "utf-16": ("sft", SFT, "set.jsonl", lines(sft()).encode("utf-16")),
    "trailing comma": ("sft", SFT, "set.json", "[" + json.dumps(sft()) + ",]"),
    "trailing comma in a row": (
        "sft",
        SFT,
        "set.jsonl",
        lines(sft()) + json.dumps(sft())[:-1] + ",}\n",
    ),
    "torn last line": ("sft", SFT, "set.jsonl", lines(sft(), sft())[:-20]),
    "comma between lines": ("sft", SFT, "set.jsonl", ",\n".join([json.dumps(sft())] * 2)),
    "single quotes": ("sft", SFT, "set.jsonl", str(sft()) + "\n"),
    "nan": ("sft", SFT, "set.jsonl", lines(sft(score=float("nan")), sft(score=0.5))),
    "key twice": (
        "sft",
        SFT,
        "set.jsonl",
        '{"instruction": "a", "input": "", "output": "b", "output": "c"}\n',
    ),
    "lone surrogate": ("sft", SFT, "set.jsonl", json.dumps(sft(output="\ud800")) + "\n"),
    "row a list": ("sft", SFT, "set.jsonl", '["a", "b"]\n'),
    "row a text": ("sft", SFT, "set.jsonl", '"a"\n'),
    "two objects a line": ("sft", SFT, "set.jsonl", json.dumps(sft()) * 2 + "\n"),
    "an object over lines": (
        "sft",
        SFT,
        "set.jsonl",
        json.dumps(sft(), indent=1) + "\n" + lines(sft()),
    ),
    "object of rows": ("sft", SFT, "set.json", json.dumps({"data": [sft(), sft()]})),
    "json list in jsonl": ("sft", SFT, "set.jsonl", json.dumps([sft(), sft()])),
    "json list over lines": ("sft", SFT, "set.json", json.dumps([sft(), sft()], indent=2)),
    "numbers as texts in a list": (
        "sft",
        SFT,
        "set.json",
        json.dumps([sft(output="2"), sft(output="3")]),
    ),
    "mixed types in a list": ("sft", SFT, "set.json", json.dumps([sft(), sft(output=3)])),
    "null in a list": ("sft", SFT, "set.json", json.dumps([sft(), sft(output=None)])),
    "csv of numbers": ("sft", SFT, "set.csv", CSV + "a,b,1\nc,d,2\n"),
    "csv with an empty cell": ("sft", SFT, "set.csv", CSV + "a,b,\nc,d,e\n"),
    "csv with NA": ("sft", SFT, "set.csv", CSV + "a,b,NA\nc,d,None\ne,f,g\n"),
    "csv with a short line": ("sft", SFT, "set.csv", CSV + "a,b,c\nd,e\n"),
    "csv with a long line": ("sft", SFT, "set.csv", CSV + "a,b,c\nd,e,f,g\n"),
    "csv with semicolons": ("sft", SFT, "set.csv", "instruction;input;output\na;b;c\n"),
    "csv of dates": ("sft", SFT, "set.csv", CSV + "a,b,2024-01-31\n"),
    "csv header only": ("sft", SFT, "set.csv", CSV),
    # roles
    "assistant first": _rows("sft", CHAT, chat(), chat("gpt", "a", "human", "b")),
    "user twice": _rows("sft", CHAT, chat(), chat("human", "a", "human", "b")),
    "odd number": _rows("sft", CHAT, chat(), chat(*TURN, "human", "more")),
    "unknown role": _rows("sft", CHAT, chat(), chat("user", "a", "assistant", "b")),
    "all roles unknown": _rows("sft", CHAT, *[chat("user", "a", "assistant", "b")] * 2),
    "system in the middle": _rows("sft", CHAT, chat(), chat(*TURN, "system", "a", "gpt", "b")),
    "system alone": _rows("sft", CHAT, chat(), chat("system", "a")),
    "empty conversation": _rows("sft", CHAT, chat(), {"conversations": []}),
    "conversation null": _rows("sft", CHAT, chat(), {"conversations": None}),
    "conversation a text": _rows("sft", CHAT, {"conversations": "hello"}),
    "messages are texts": _rows("sft", CHAT, {"conversations": ["a", "b"]}),
    "message null": _rows("sft", CHAT, {"conversations": [*said(*TURN)[:1], None]}),
    "message without content": _rows(
        "sft", CHAT, chat(), {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt"}]}
    ),
    "message with a null role": _rows("sft", CHAT, chat(), chat(None, "a", "gpt", "b")),
    "content a number": _rows("sft", CHAT, chat("human", 1, "gpt", 2)),
    "content a list": _rows("sft", CHAT, chat("human", ["a"], "gpt", ["b"])),
    "keys of openai": _rows(
        "sft", CHAT, {"conversations": openai("user", "a", "assistant", "b")["messages"]}
    ),
    "even number in pairs": _rows("dpo", CHAT_PAIR, chat_pair(), chat_pair(*TURN)),
    "no messages in pairs": _rows(
        "dpo", CHAT_PAIR, chat_pair(), chat_pair() | {"conversations": []}
    ),
    "chosen a text in sharegpt": _rows(
        "dpo", CHAT_PAIR, *[chat_pair(chosen="a", rejected="b")] * 2
    ),
    "chosen null in sharegpt": _rows("dpo", CHAT_PAIR, chat_pair(), chat_pair(chosen=None)),
    "chosen by the user": _rows(
        "dpo", CHAT_PAIR, chat_pair(), chat_pair(chosen={"from": "human", "value": "a"})
    ),
    "chosen by nobody": _rows(
        "dpo", CHAT_PAIR, chat_pair(), chat_pair(chosen={"from": "assistant", "value": "a"})
    ),
    "chosen without content": _rows(
        "dpo", CHAT_PAIR, chat_pair(), chat_pair(chosen={"from": "gpt", "value": None})
    ),
    "kto conversation odd": _rows(
        "kto", CHAT_KTO, chat(tag=True), chat("human", "a", tag=False), chat(tag=False)
    ),
    "kto conversation 'true'": _rows("kto", CHAT_KTO, chat(tag="true"), chat(tag="false")),
    "kto conversation empty": _rows(
        "kto", CHAT_KTO, chat(tag=True), {"conversations": [], "tag": True}
    ),
    "call not json": _rows(
        "sft", CHAT, chat("human", "a", "function_call", "add(1)", "observation", "2", "gpt", "b")
    ),
    "call without a name": _rows(
        "sft", CHAT, chat("human", "a", "function_call", '{"f": 1}', "observation", "2", "gpt", "b")
    ),
    "observation first": _rows("sft", CHAT, chat("observation", "a", "gpt", "b")),
    "openai unknown role": _rows(
        "sft", OPENAI, openai("user", "a", "assistant", "b"), openai("human", "a", "assistant", "b")
    ),
    "openai order": _rows(
        "sft", OPENAI, openai("user", "a", "assistant", "b"), openai("assistant", "a", "user", "b")
    ),
    "openai tool answer": _rows(
        "sft",
        OPENAI | {"tags": OPENAI_TAGS | {"observation_tag": "tool", "function_tag": "call"}},
        openai("user", "a", "call", CALL, "tool", "2", "assistant", "b"),
    ),
}


def write(root: Path) -> list[dict[str, str]]:
    """Each case in a folder of its own; the requests that name them."""
    requests = []
    for number, (_, (stage, entry, file, content)) in enumerate(CASES.items()):
        folder = root / str(number)
        folder.mkdir()
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        (folder / file).write_bytes(raw)
        name = "a,b" if "," in file else "set"
        info = {}
        if isinstance(entry, dict):
            info = {name: {k: v for k, v in ({"file_name": file} | entry).items() if v is not ...}}
        elif entry is not None:
            info = {name: entry}
        (folder / factory.INFO).write_text(json.dumps(info))
        requests.append({"folder": str(folder), "name": name, "stage": stage})
    return requests


def ours(request: dict[str, str]) -> tuple[bool, list[int], Findings]:
    """(does it fail, the rows dropped, the findings)."""
    name = request["name"]
    found = check(request["folder"], [name], stage=request["stage"], ask_trainer=False)
    verdict = found.sets.get(name)
    return not verdict or bool(verdict.fails), verdict.dropped if verdict else [], found


def verdicts(root: Path):
    """(name, ours, LLaMA-Factory's) of every case; theirs is (does it fail, dropped, why)."""
    requests = write(root)
    answer = trainer.ask(requests, {"template": "fewshot", "cutoff_len": 512}, None)
    assert "failed" not in answer, answer
    for name, request, theirs in zip(CASES, requests, answer["sets"], strict=True):
        failed = theirs["fails"] is not None
        yield name, ours(request), (failed, [] if failed else theirs["dropped"], theirs["fails"])


def line(name, mine, theirs) -> str:
    fails, dropped, found = mine
    said = "fails" if fails else f"loads, drops {len(dropped)}"
    other = "fails" if theirs[0] else f"loads, drops {len(theirs[1])}"
    agree = "" if (fails, [] if fails else dropped) == theirs[:2] else "  DISAGREE"
    codes = " ".join(sorted({one.code for one in found})) or "-"
    return f"{name:34} {said:16} {other:16} {codes:22} {(theirs[2] or '')[:70]}{agree}"


if __name__ == "__main__":
    print(f"{'set':34} {'w2s-data check':16} {'LLaMA-Factory':16} {'rules':22} its error")
    with tempfile.TemporaryDirectory() as folder:
        for one in verdicts(Path(folder)):
            print(line(*one))
