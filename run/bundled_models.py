"""Make the bundled tokenizer and base models from nothing, on a CPU or a GPU.

    python run/bundled_models.py documents       tokenizer and pre-training text, 8 minutes
    python run/bundled_models.py train strong    40 minutes on one core; likewise weak, middle
    python run/bundled_models.py go_on middle    20 minutes: how two answers are weighed
    python run/bundled_models.py install         copy the bases into w2s_data/bundled/models
    SEEDS=1 OUT=build/taught bash run/weak_to_strong_reasoning.sh
    python run/bundled_models.py adapters --out build/taught/seed-1

The last two lines teach the weak base and make the stage-I student, by the method's own protocol.
Every base reads documents of solved problems from the seeded world (w2s_data.world),
each document in one consistent answer style; `Question:` / `Answer:` / `The answer is:`
is one style among many, so that shots call it up and a bare question does not.
None of the text of the bundled question files occurs in the documents.
"""

import argparse
import copy
import json
import random
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from w2s_data import world

MODELS = Path(__file__).resolve().parents[1] / "w2s_data" / "bundled" / "models"
WINDOW = 512
VOCABULARY = 1024
SIZES = {
    "weak": dict(hidden_size=80, intermediate_size=208, num_hidden_layers=3, num_attention_heads=5),
    "middle": dict(
        hidden_size=112, intermediate_size=304, num_hidden_layers=4, num_attention_heads=7
    ),
    "strong": dict(
        hidden_size=160, intermediate_size=448, num_hidden_layers=4, num_attention_heads=5
    ),
}
# All follow a schedule of 2,000 steps; weak and middle are stopped while the rate is still high.
STEPS, STOPS = 2000, {"weak": 800, "middle": 1000, "strong": 2000}
# The middle one goes on with text a fifth of which shows how two answers are weighed.
DOUBTED_SHARE, MORE_STEPS = 0.2, 1000
PIECES = r"\d| [+=-] | \\(?:times|div|bmod) | ?\\?[A-Za-z]+|\\| ?[^\sA-Za-z\d\\]+|\n+| +"

TARGET_SHARE = 0.18
SKILL_SHARE = 0.045
HEADS = [
    ("Problem: ", "\nSolution:"),
    ("Q: ", "\nA:"),
    ("Task: ", "\nWork:"),
    ("", "\n"),
    ("Exercise. ", " ->"),
]
QUESTION_HEAD = ("Question: ", "\nAnswer:")
JOINS = [(", ", ". "), ("; ", ". "), (". ", ". "), ("\n", "\n"), (", so ", ", ")]
FINALS = [
    "So {} it is.",
    "Result {}",
    "#### {}",
    "Hence {}.",
    "= {}",
    "Final: {}",
    r"$\boxed{{{}}}$",
    "Thus the result is {}.",
]


def bare(text):
    return text.replace("$", "")


def target_answer(row):
    """The taught format: the worked solution, then ` The answer is: N`."""
    return f"{row['solution']} The answer is: {row['answer']}"


def draw_style(rng):
    """A document's style as (head, tail, function from row to answer text)."""
    if rng.random() < TARGET_SHARE:
        return *QUESTION_HEAD, target_answer
    head = QUESTION_HEAD if rng.random() < 0.35 else rng.choice(HEADS)
    if rng.random() < 0.2:
        return *head, lambda row: row["solution"]
    (join, end), final = rng.choice(JOINS), rng.choice(FINALS)
    clean = bare if rng.random() < 0.3 else str
    return *head, lambda row: clean(join.join(row["steps"])) + end + final.format(row["answer"])


def carry_error(steps, rng):
    """The steps with one result off and the error carried on, or None if a number turns ugly."""
    at, wrong, carried = rng.randrange(len(steps)), [], {}
    for i, (x, operation, y, z) in enumerate(steps):
        x, y = carried.get(x, x), carried.get(y, y)
        new = world.OPERATE[operation](x, y) if y else z
        if i == at:
            new = new + rng.choice([-10, -2, -1, 1, 2, 10]) if new.denominator == 1 else 1 - new
        if new < 0 or new.denominator not in (1, 2, 4, 5, 8, 10, 20, 25):
            return None
        carried = {z: new} if new != z else {}
        wrong.append((x, operation, y, new))
    return wrong


def corrupt(row, rng):
    """The row with a worked solution that goes wrong at one step, or None."""
    seed, stream, index = row["key"]
    plan = world.draft(stream, index, seed)
    value, steps = world.run(plan["chain"])
    wrong = carry_error(steps, rng)
    if not wrong or wrong[-1][3] == value:
        return None
    equations = [world.equation(s, plan["decimal"]) for s in wrong]
    answer = world.spell(wrong[-1][3], plan["decimal"])
    return row | {
        "steps": equations,
        "answer": answer,
        "solution": world.solution_text(equations, answer, rng),
    }


class Problems:
    """Problems of a stream none of whose texts is in the bundled files."""

    def __init__(self, stream):
        self.stream, self.index = stream, 0
        self.taken = {row["problem"] for rows in world.build().values() for row in rows}

    def next(self):
        while True:
            row = world.problem(self.stream, self.index, world.SEED + 1)
            row["key"] = (world.SEED + 1, self.stream, self.index)
            self.index += 1
            if row["problem"] not in self.taken:
                return row

    def wrong(self, rng):
        while True:
            row = self.next()
            bad = corrupt(row, rng)
            if bad:
                return row, bad


def spans_of(*parts):
    """(text, is it learnt?) spans; a text in a list is learnt, and so is the blank before it."""
    spans = []
    for part in parts:
        learnt = isinstance(part, list)
        text = part[0] if learnt else part
        if learnt and spans and spans[-1][0].endswith((":", ">")):
            text = " " + text
        spans.append((text, learnt))
    return spans


def joined(blocks):
    """Blocks of spans parted by a blank line, which is learnt."""
    return [span for i, block in enumerate(blocks) for span in ([("\n\n", True)] * (i > 0) + block)]


def solved(problems, rng):
    """1-5 problems answered in one style."""
    head, tail, answer = draw_style(rng)
    count = (
        rng.choice([1, 2, 3, 4, 5, 5])
        if answer is target_answer
        else rng.choice([1, 1, 2, 3, 4, 5])
    )
    read = list if rng.random() < 0.15 else "".join
    rows = [problems.next() for _ in range(count)]
    blocks = [spans_of(head, read([row["problem"]]), tail, [answer(row)]) for row in rows]
    return joined(blocks)


def doubted(problems, rng):
    """Two earlier answers, a statement of doubt, then the right answer."""
    blocks = []
    for _ in range(rng.choice([1, 2, 3])):
        row, bad = problems.wrong(rng)
        first, second = rng.sample([target_answer(row), target_answer(bad)], 2)
        answers = rng.sample([row["answer"], bad["answer"]], 2)
        doubt = rng.choice(
            ["I am not sure whether the answer is {} or {}.", "I hesitate between {} and {}."]
        )
        blocks.append(
            spans_of(
                "Question: ",
                row["problem"],
                f"\nStudent: {first}\nTeacher: {second}",
                "\nDoubt:",
                [doubt.format(*answers)],
                "\nFinal answer:",
                [target_answer(row)],
            )
        )
    return joined(blocks)


def paraphrased(problems, rng):
    blocks = []
    for _ in range(rng.choice([1, 2, 3, 4])):
        row = problems.next()
        seed, stream, index = row["key"]
        other = world.paraphrase(f"{stream}/{index}", rng.randint(1, 4), seed)
        blocks.append(spans_of("Question: ", row["problem"], "\nParaphrase:", [other["problem"]]))
    return joined(blocks)


def split_up(problems, rng):
    blocks, wanted = [], rng.choice([1, 2, 3])
    while len(blocks) < wanted:
        row = problems.next()
        seed, stream, index = row["key"]
        parts = world.subtasks(f"{stream}/{index}", rng.choice([2, 2, 3]), seed)
        lines = [
            f"\nSubtask {j}: {part['problem']}\nSolution {j}: {target_answer(part)}"
            for j, part in enumerate(parts, 1)
        ]
        if parts:
            blocks.append(
                spans_of(
                    "Question: ",
                    row["problem"],
                    f"\nAnswer: {target_answer(row)}",
                    ["".join(lines)],
                )
            )
    return joined(blocks)


def judged(problems, rng):
    blocks = []
    for _ in range(rng.choice([2, 3, 4])):
        row, bad = problems.wrong(rng)
        right = rng.random() < 0.5
        blocks.append(
            spans_of(
                "Question: ",
                row["problem"],
                f"\nAnswer: {target_answer(row if right else bad)}",
                "\nRight:",
                ["yes" if right else "no"],
            )
        )
    return joined(blocks)


SKILLS = [doubted, paraphrased, split_up, judged]


def document(problems, rng, doubted_share=0):
    if doubted_share and rng.random() < doubted_share:
        return doubted(problems, rng)
    draw = rng.random() / SKILL_SHARE
    if draw < len(SKILLS):
        return SKILLS[int(draw)](problems, rng)
    return solved(problems, rng)


def text_of(spans):
    return "".join(text for text, _ in spans)


def train_tokenizer():
    rng, problems = random.Random(world.SEED), Problems("tokenizer")
    texts = [text_of(document(problems, rng)) for _ in range(6000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<eos>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def encode(tokenizer, count, stream, doubted_share):
    """``count`` documents as one token array and one array of which tokens are learnt."""
    rng, problems = random.Random(f"{world.SEED}/{stream}"), Problems(stream)
    ids, learnt = [], []
    for start in range(0, count, 1000):
        batch = [document(problems, rng, doubted_share) for _ in range(min(1000, count - start))]
        encoded = tokenizer.backend_tokenizer.encode_batch([text_of(spans) for spans in batch])
        for spans, code in zip(batch, encoded):
            ends, mask = np.cumsum([len(text) for text, _ in spans]), [flag for _, flag in spans]
            lasts = [end - 1 for _, end in code.offsets]
            ids += [*code.ids, tokenizer.eos_token_id]
            learnt += [mask[i] for i in np.searchsorted(ends, lasts, side="right")] + [True]
    return np.array(ids, np.int16), np.array(learnt, bool)


def make_model(name, tokenizer, seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.02,
        rope_theta=10000.0,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        rms_norm_eps=1e-5,
        num_key_value_heads=SIZES[name]["num_attention_heads"],
        **SIZES[name],
    )
    return LlamaForCausalLM(config)


def optimizers(model, rate, matrix_rate):
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(matrices, lr=matrix_rate, momentum=0.95, weight_decay=0.02),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def schedule(step, steps):
    """Warm up over 2 %, hold, then fall to zero over the last 40 %."""
    return min(1.0, (step + 1) / (0.02 * steps + 1), max(0.0, (steps - step) / (0.4 * steps)))


def loss_of(model, ids, learnt, device):
    with torch.autocast(device.type, torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
        keep = learnt[:, 1:]
        return torch.nn.functional.cross_entropy(
            model.lm_head(hidden[keep]).float(), ids[:, 1:][keep]
        )


def windows(ids, learnt, step, rows, order):
    at = [order[(step * rows + i) % len(order)] * WINDOW for i in range(rows)]
    cut = [np.stack([array[a : a + WINDOW + 1] for a in at]) for array in (ids, learnt)]
    return torch.from_numpy(cut[0].astype(np.int64)), torch.from_numpy(cut[1])


@torch.no_grad()
def probe(model, tokenizer, style, shots=0, count=100, split="probe"):
    """Greedy accuracy and share of answers in format, for one style, with ``shots`` examples."""
    head, tail, answer, final = style
    problems = Problems(split)
    demos = "".join(
        f"{head}{r['problem']}{tail} {answer(r)}\n\n"
        for r in (problems.next() for _ in range(shots))
    )
    rows = [problems.next() for _ in range(count)]
    texts = generate(model, tokenizer, [demos + head + r["problem"] + tail for r in rows])
    texts = [t.split("\n\n")[0] for t in texts]
    right = [final.format(r["answer"]) in t + "\n" for r, t in zip(rows, texts)]
    formed = [final.split("{")[0] in t for t in texts]
    return sum(right) / count, sum(formed) / count


@torch.no_grad()
def generate(model, tokenizer, prompts, tokens=150):
    tokenizer.padding_side = "left"
    model.eval()
    batch = tokenizer(
        prompts,
        return_tensors="pt",
        padding=True,
        add_special_tokens=False,
        return_token_type_ids=False,
    ).to(model.device)
    out = model.generate(
        **batch,
        max_new_tokens=tokens,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.train()
    return tokenizer.batch_decode(out[:, batch.input_ids.shape[1] :], skip_special_tokens=True)


TARGET = (*QUESTION_HEAD, target_answer, "The answer is: {}\n")


def save(model, tokenizer, folder):
    model = copy.deepcopy(model).to(torch.bfloat16).cpu()
    model.config.dtype = torch.bfloat16
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    name_tokenizer_class(folder / "tokenizer_config.json")


def name_tokenizer_class(path):
    """Name a class that transformers 4 and 5 both know."""
    kept = {"clean_up_tokenization_spaces", "eos_token", "model_max_length", "pad_token"}
    settings = {k: v for k, v in json.loads(path.read_text()).items() if k in kept}
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(settings, indent=2) + "\n")


def fit(model, tokenizer, data, folder, given, steps, stop):
    """``stop`` steps of a schedule of ``steps``, with a checkpoint every ``given.every``."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device).train()
    ids, learnt = data["ids"], data["learnt"]
    order = np.random.default_rng(given.seed).permutation((len(ids) - 1) // WINDOW)
    updates = optimizers(model, given.rate, given.matrix_rate)
    peaks = [update.param_groups[0]["lr"] for update in updates]
    begin = time.time()
    for step in range(stop):
        for update, peak in zip(updates, peaks):
            update.param_groups[0]["lr"] = peak * schedule(step, steps)
        batch = windows(ids, learnt, step, given.rows, order)
        loss = loss_of(model, *[part.to(device) for part in batch], device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for update in updates:
            update.step()
            update.zero_grad(set_to_none=True)
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.4f} {time.time() - begin:.0f} s", flush=True)
        if (step + 1) % given.every == 0 or step == stop - 1:
            save(model, tokenizer, folder)
            print(f"step {step + 1} {report(model, tokenizer)}", flush=True)


def report(model, tokenizer):
    found = [(shots, *probe(model, tokenizer, TARGET, shots)) for shots in (0, 4)]
    return "; ".join(
        f"{n} shots: {right:.2f} right, {formed:.2f} in format" for n, right, formed in found
    )


def train(given):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(given.out / "tokenizer")
    model = make_model(given.name, tokenizer, given.seed)
    data, folder = np.load(given.out / "documents.npz"), given.out / given.name
    fit(model, tokenizer, data, folder, given, STEPS, given.stop or STOPS[given.name])


def go_on(given):
    folder = given.out / given.name
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    data, steps = np.load(given.out / "doubts.npz"), given.stop or MORE_STEPS
    fit(model, tokenizer, data, folder, given, steps, steps)


def documents(given):
    given.out.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(given.out / "tokenizer")
    for name, doubted_share in (("documents", 0), ("doubts", DOUBTED_SHARE)):
        ids, learnt = encode(tokenizer, given.documents, "pretrain", doubted_share)
        np.savez(given.out / f"{name}.npz", ids=ids, learnt=learnt)
        print(f"{name}: {len(ids):,} tokens, {learnt.mean():.2f} learnt")


def install(given):
    for name in SIZES:
        if (given.out / name / "model.safetensors").exists():
            shutil.copytree(given.out / name, MODELS / name, dirs_exist_ok=True)


def adapters(given):
    """The taught weak model and the stage-I student of a narrative's seed, in bfloat16."""
    for source, name, base in (("floor", "weak_taught", "weak"), ("stage1", "student", "strong")):
        folder, target = given.out / "saves" / source, MODELS / name
        target.mkdir(exist_ok=True)
        weights = load_file(folder / "adapter_model.safetensors")
        halved = {key: value.to(torch.bfloat16) for key, value in weights.items()}
        save_file(halved, target / "adapter_model.safetensors", metadata={"format": "pt"})
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        config["base_model_name_or_path"] = f"bundled/{base}"
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        (target / "adapter_config.json").write_text(text, "utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = {f.__name__: f for f in (documents, train, go_on, install, adapters)}
    parser.add_argument("action", choices=actions)
    parser.add_argument("name", nargs="?", choices=list(SIZES), default="strong")
    parser.add_argument("--out", type=Path, default=Path("build/bundled_models"))
    parser.add_argument("--documents", type=int, default=56_000)
    parser.add_argument("--stop", type=int, help="training steps, by default STOPS[NAME]")
    parser.add_argument("--rows", type=int, default=12, help="windows of 512 tokens a step")
    parser.add_argument("--rate", type=float, default=4e-3, help="AdamW: embeddings and norms")
    parser.add_argument("--matrix-rate", type=float, default=0.02, help="Muon: all other weights")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=400, help="steps between checkpoints")
    given = parser.parse_args()
    actions[given.action](given)


if __name__ == "__main__":
    main()
