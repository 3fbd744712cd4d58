"""Probes against computations written from the formulas: dense, point by point, in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="needs the extra probe")

from w2s_data.errors import W2SError
from w2s_data.steps import probe

SEEDS = st.integers(0, 10**6)


def data(seed, count=60, width=3, grid=4):
    """Points on a small grid, so that many distances tie and some points coincide."""
    rng = np.random.default_rng(seed)
    acts = rng.integers(0, grid, (count, width)).astype(np.float32)
    return acts, rng.choice([0.0, 0.2, 0.5, 0.7, 1.0], count)


def nearest(acts, asked, k, among, itself=None):
    """The k nearest of `among` to one point: by distance, then by index."""
    others = [i for i in among if i != itself]
    return sorted(others, key=lambda i: (math.dist(acts[i], asked), i))[:k]


def reference_knn(acts, labels, k, among=None):
    among = range(len(acts)) if among is None else among
    return [np.mean(labels[nearest(acts, point, k, among)]) for point in acts]


def reach(graph, start, members):
    seen, waiting = {start}, [start]
    while waiting:
        for other in graph[waiting.pop()]:
            if other in members and other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def reference_core(acts, labels, k):
    """Both classes' largest strong components: who reaches each other within the class."""
    graph = {i: nearest(acts, acts[i], k, range(len(acts)), i) for i in range(len(acts))}
    core = set()
    for positive in (True, False):
        members = {i for i in range(len(acts)) if (labels[i] > 0.5) == positive}
        reached = {i: reach(graph, i, members) for i in members}
        parts = [{j for j in reached[i] if i in reached[j]} for i in sorted(members)]
        core |= max(parts, key=len, default=set())
    return sorted(core)


def reference_topo_filter(acts, labels, contamination, k):
    core = reference_core(acts, labels, k)
    missing = max(0, round(len(acts) * contamination) - (len(acts) - len(core)))
    near = {i: nearest(acts, acts[i], min(k, len(core) - 1), core, i) for i in core}
    far = {i: abs(labels[i] - np.mean(labels[near[i]])) for i in core}
    gone = sorted(core, key=lambda i: (-round(far[i], 12), i))[:missing] if len(core) > 1 else []
    return [i for i in core if i not in gone]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_knn(seed, k):
    acts, labels = data(seed)
    assert probe.knn(acts, labels, k) == pytest.approx(reference_knn(acts, labels, k))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 12), st.floats(0, 0.6))
def test_topo(seed, k, contamination):
    acts, labels = data(seed, count=40)
    core = reference_core(acts, labels, k)
    assert probe.components(acts, labels, k).tolist() == core
    expected = reference_knn(acts, labels, min(k, len(core)), core)
    assert probe.topo(acts, labels, k, k) == pytest.approx(expected)
    kept = probe.topo_filter(acts, labels, contamination, k, k)
    assert kept.tolist() == reference_topo_filter(acts, labels, contamination, k)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from([1e-3, 1e-2, 0.1]))
def test_logreg_is_where_the_gradient_vanishes(seed, l2):
    """The conditions of the one optimum: mean (p - y) x + 2 l2 w = 0 and mean (p - y) = 0."""
    acts, labels = data(seed, count=80)
    found = probe.logreg(acts, labels, l2)
    off = found - labels
    logits = np.log(found / (1 - found))
    weights, *_ = np.linalg.lstsq(np.c_[acts, np.ones(len(acts))], logits, rcond=None)
    assert np.c_[acts, np.ones(len(acts))] @ weights == pytest.approx(logits, abs=1e-4)
    assert abs(off.mean()) < 1e-4
    assert np.abs(off @ acts / len(acts) + 2 * l2 * weights[:-1]).max() < 1e-4


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(0, 0.9))
def test_the_share_that_disagrees_most_goes(seed, contamination):
    """Of ties the first go."""
    acts, labels = data(seed)
    kept, after = probe.clean(
        acts, labels, probe="knn", use="filter", contamination=contamination, k=7
    )
    off = abs(np.array(reference_knn(acts, labels, 7)) - labels)
    order = sorted(range(len(acts)), key=lambda i: (-round(off[i], 12), i))
    assert kept.tolist() == sorted(order[int(contamination * len(acts)) :])
    assert (after == labels[kept]).all()


@pytest.mark.parametrize("name", ["knn", "logreg", "topo"])
def test_uses_agree_on_lengths(name):
    acts, labels = data(1, count=120, grid=9)
    lengths = {}
    for use in ("relabel", "filter", "both"):
        kept, after = probe.clean(acts, labels, probe=name, use=use, contamination=0.25, k=10)
        assert len(kept) == len(after) == len(set(kept.tolist()))
        assert ((after >= 0) & (after <= 1)).all()
        lengths[use] = len(kept)
    assert lengths["relabel"] == 120
    assert lengths["both"] == lengths["filter"] <= 90


def clusters(seed=0, count=400, noise=0.1):
    """Two clusters far apart, and the indices whose label was turned."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    acts = rng.normal(size=(count, 16)) + 6 * truth[:, None]
    turned = np.sort(rng.choice(count, int(noise * count), replace=False))
    labels = truth.astype(float)
    labels[turned] = 1 - labels[turned]
    return acts, truth, labels, turned


@pytest.mark.parametrize("name", ["knn", "logreg", "topo"])
@pytest.mark.parametrize("use", ["relabel", "filter", "both"])
def test_planted_noise_is_found(name, use):
    acts, truth, labels, turned = clusters()
    kept, after = probe.clean(acts, labels, probe=name, use=use, contamination=0.1, k=30)
    assert ((after > 0.5) == truth[kept]).all()
    if use != "relabel":
        gone = set(range(400)) - set(kept.tolist())
        assert set(turned.tolist()) <= gone
        # A point that is nobody's neighbour is in no strong component: topo drops it, too.
        assert len(gone) <= 40 + 4 * (name == "topo")


def test_half_precision_on_disk_is_read(tmp_path):
    acts, _, labels, turned = clusters()
    np.save(tmp_path / "acts.npy", acts.astype(np.float16))
    stored = np.load(tmp_path / "acts.npy", mmap_mode="r")
    kept, _ = probe.clean(stored, labels, probe="topo", use="filter", k=30)
    assert 350 <= len(kept) <= 360
    assert not set(kept.tolist()) & set(turned.tolist())


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 30), st.sampled_from([1, 2, 3]), st.booleans())
def test_points_that_coincide(seed, k, grid, by_others):
    """Few places, many points on each; asked for by themselves, by others among them and beside."""
    acts, _ = data(seed, count=40, width=2, grid=grid)
    asked = data(seed + 1, count=25, width=2, grid=grid + 1)[0] if by_others else acts
    found = probe.neighbours(acts, asked if by_others else None, k)
    for row, point in enumerate(asked):
        itself = None if by_others else row
        assert found[row].tolist() == sorted(nearest(acts, point, k, range(40), itself))


@pytest.mark.parametrize("places", [1, 7])
def test_many_equal_points_are_searched_once(places, monkeypatch):
    """As the states of layer 0, where all prompts end alike. The first ones are the nearest."""
    monkeypatch.setattr(np, "delete", None)  # all points again for each
    acts = np.tile(np.arange(places)[:, None], (1, 64)).astype(np.float32)
    groups = np.arange(4000) % places
    found = probe.neighbours(acts[groups], None, 50)
    for row in (0, 1, 49 * places, 50 * places, 3999):
        same = [i for i in range(row % places, 4000, places) if i != row]
        assert found[row].tolist() == same[:50]
    labels = (np.arange(4000) // places) % 2.0
    assert (probe.knn(acts[groups], labels, 50) == 0.5).all()


def reference_both(acts, labels, contamination, k):
    """Filtered and fitted again, by the references above."""
    off = abs(np.array(reference_knn(acts, labels, k)) - labels)
    gone = sorted(range(len(acts)), key=lambda i: (-round(off[i], 12), i))
    kept = sorted(gone[int(contamination * len(acts)) :])
    return kept, reference_knn(acts[kept], labels[kept], min(k, len(kept)))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 15), st.floats(0, 0.9))
def test_both_filters_and_fits_again(seed, k, contamination):
    acts, labels = data(seed, count=40)
    how = {"use": "both", "contamination": contamination, "k": k}
    kept, after = probe.clean(acts, labels, probe="knn", **how)
    expected, relabelled = reference_both(acts, labels, contamination, k)
    assert kept.tolist() == expected
    assert after == pytest.approx(relabelled)
    kept = reference_topo_filter(acts, labels, contamination, k)
    if len(kept) < 2:
        return
    core = reference_core(acts[kept], labels[kept], min(k, len(kept) - 1))
    found, after = probe.clean(acts, labels, probe="topo", **how)
    assert found.tolist() == kept
    assert after == pytest.approx(reference_knn(acts[kept], labels[kept], min(k, len(core)), core))


@pytest.mark.parametrize("name", ["knn", "logreg", "topo"])
@pytest.mark.parametrize(
    ("contamination", "said"),
    [(0.99, "less: the filter leaves [01] of 60 rows"), (1.0, r"in \[0, 1\), was: 1.0")],
)
def test_a_filter_that_leaves_too_little(name, contamination, said):
    acts, labels = data(5, count=60)
    with pytest.raises(W2SError, match=f"contamination must be {said}"):
        probe.clean(acts, labels, probe=name, use="both", contamination=contamination, k=5)


def test_too_few_points():
    acts, labels = data(0, count=20)
    with pytest.raises(W2SError, match=r"k must be less than the number of rows \(20\), was: 50"):
        probe.clean(acts, labels)


def test_one_class_only():
    acts, _ = data(3, count=30)
    kept, _ = probe.clean(acts, np.ones(30), probe="topo", use="filter", k=5)
    assert len(kept)
