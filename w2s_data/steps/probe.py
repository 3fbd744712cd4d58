"""Probes: what a model's hidden states say of weak labels, and which labels they speak against.

EleutherAI's w2s (https://blog.eleuther.ai/weak-to-strong/). A probe is fitted on activations and
weak labels and read on the same activations. `knn`: the mean label of the k nearest points, the
point itself among them. `logreg`: logistic regression on soft labels, mean cross-entropy plus
l2 * |w|^2, the intercept free. `topo` (Wu et al. 2020, arXiv 2012.04835): the largest strongly
connected component of each class in the directed kNN graph, and the mean label of the k_zeta
nearest points in it.

Shapes: `acts` [n, width], `labels` [n] in [0, 1]. Distances are Euclidean, computed in blocks;
ties go to the point that stands first, so results do not depend on the machine, and points that
coincide are searched once. Memory grows with n * k, where the original holds n x n distances and
adjacencies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal

from w2s_data.errors import missing_extra, out_of_range

Array = Any
Probe = Literal["knn", "logreg", "topo"]
Use = Literal["relabel", "filter", "both"]

# So many candidates more than asked for, among which ties are told apart exactly.
SPARE = 16


def clean(
    acts: Array,
    labels: Array,
    *,
    probe: Probe = "knn",
    use: Use = "relabel",
    contamination: float = 0.1,
    k: int = 50,
    l2: float = 1e-3,
) -> tuple[Array, Array]:
    """(kept, new labels): the indices that stay, ascending, and the labels of those.

    `relabel` keeps all and gives each the probe's label. `filter` drops the share `contamination`
    on which probe and label disagree most and leaves labels as they are. `both` filters, then fits
    the probe again on what is left and relabels that; the original breaks on the lengths here.
    Raises W2SError when there are not more than k points, or `both` leaves fewer than two.
    """
    import numpy as np

    labels = np.asarray(labels, dtype=np.float64)
    check_size(probe, k, len(labels))
    if use != "relabel" and not 0 <= contamination < 1:
        raise out_of_range("contamination", "in [0, 1)", contamination)
    relabelled: Callable[[Array, Array], Array] = {
        "knn": lambda acts, labels: knn(acts, labels, min(k, len(labels))),
        "logreg": lambda acts, labels: logreg(acts, labels, l2),
        "topo": lambda acts, labels: topo(acts, labels, min(k, len(labels) - 1), k),
    }[probe]
    kept = np.arange(len(labels))
    if use != "relabel":
        if probe == "topo":
            kept = topo_filter(acts, labels, contamination, k, k)
        else:
            kept = agreeing(relabelled(acts, labels), labels, contamination)
        if use == "both" and len(kept) < 2:
            rule = f"less: the filter leaves {len(kept)} of {len(labels)} rows to fit on again"
            raise out_of_range("contamination", rule, contamination)
        acts, labels = np.asarray(acts)[kept], labels[kept]
    return kept, labels if use == "filter" else relabelled(acts, labels)


def check_size(probe: Probe, k: int, count: int) -> None:
    """Raise W2SError where `count` points are too few for the probe's k."""
    if probe != "logreg" and count <= k:
        raise out_of_range("k", f"less than the number of rows ({count})", k)


def knn(acts: Array, labels: Array, k: int) -> Array:
    """The mean label of the k nearest points, each point among its own."""
    return labels[neighbours(acts, acts, k)].mean(1)


def logreg(acts: Array, labels: Array, l2: float) -> Array:
    """The fitted probability of each point. The optimum is unique; found by L-BFGS."""
    import numpy as np

    optimize = _scientific("scipy.optimize")
    special = _scientific("scipy.special")
    acts = np.asarray(acts, dtype=np.float32)
    count, width = acts.shape

    def loss(weights: Array) -> tuple[float, Array]:
        slopes, intercept = weights[:-1], weights[-1]
        logits = (acts @ slopes.astype(np.float32)).astype(np.float64) + intercept
        off = (special.expit(logits) - labels) / count
        value = np.logaddexp(0, logits).mean() - (labels * logits).mean() + l2 * slopes @ slopes
        gradient = (off.astype(np.float32) @ acts).astype(np.float64) + 2 * l2 * slopes
        return value, np.append(gradient, off.sum())

    found = optimize.minimize(
        loss, np.zeros(width + 1), jac=True, method="L-BFGS-B", options={"maxiter": 10_000}
    )
    return special.expit(acts @ found.x[:-1] + found.x[-1])


def topo(acts: Array, labels: Array, k_cc: int, k_zeta: int) -> Array:
    """The mean label of each point's nearest neighbours in the components of both classes.

    Of a core smaller than k_zeta all points are neighbours.
    """
    import numpy as np

    core = components(acts, labels, k_cc)
    inside = np.asarray(acts)[core]
    return labels[core][neighbours(inside, acts, min(k_zeta, len(core)))].mean(1)


def topo_filter(acts: Array, labels: Array, contamination: float, k_cc: int, k_zeta: int) -> Array:
    """The indices that stay, ascending: the components of both classes but for the points that are
    farthest from their neighbours' mean label, as many as are missing to `contamination`."""
    import numpy as np

    core = components(acts, labels, k_cc)
    inside, known = np.asarray(acts)[core], labels[core]
    missing = max(0, round(len(labels) * contamination) - (len(labels) - len(core)))
    if not missing or len(core) < 2:
        return core
    near = neighbours(inside, None, min(k_zeta, len(core) - 1))
    return core[_but_farthest(abs(known - known[near].mean(1)), missing)]


def components(acts: Array, labels: Array, k: int) -> Array:
    """The indices, ascending, of the largest strongly connected component of each class.

    In the graph from each point to its k nearest others; a class is label > 0.5 or not. Of equally
    large components the one with the first point counts.
    """
    import numpy as np

    sparse = _scientific("scipy.sparse")
    near = neighbours(acts, None, k)
    count = len(near)
    starts = np.arange(0, count * k + 1, k)
    graph = sparse.csr_matrix((np.ones(count * k, np.int8), near.ravel(), starts), (count, count))
    found = []
    for members in (np.flatnonzero(labels > 0.5), np.flatnonzero(labels <= 0.5)):
        if len(members):
            _, names = _scientific("scipy.sparse.csgraph").connected_components(
                graph[members][:, members], connection="strong"
            )
            _, firsts, sizes = np.unique(names, return_index=True, return_counts=True)
            largest = min(np.flatnonzero(sizes == sizes.max()), key=lambda name: firsts[name])
            found.append(members[names == largest])
    return np.sort(np.concatenate(found))


def agreeing(predicted: Array, labels: Array, contamination: float) -> Array:
    """The indices, ascending, of all but the share `contamination` that disagrees most."""
    off = abs(predicted - labels)
    return _but_farthest(off, int(contamination * len(off)))


def neighbours(points: Array, asked: Array | None, k: int) -> Array:
    """[m, k]: for each of `asked` the indices of the k nearest `points`, ascending by index.

    Without `asked`: for each of the points the nearest others. Of points at the same distance the
    first ones count.
    """
    import numpy as np

    points = np.array(points, dtype=np.float32)
    # An overall shift changes no distance, and short vectors lose least to rounding.
    middle = np.rint(points.mean(0))
    points -= middle
    others = None if asked is None else np.asarray(asked, dtype=np.float32) - middle
    firsts, groups = _distinct(points)
    if len(firsts) == len(points):
        return np.sort(_nearest(points, others, k), axis=1)
    if others is not None:
        chosen, same = _distinct(others)
        return np.sort(_within(points, firsts, groups, others[chosen], k)[same], axis=1)
    # One more, for the point itself stands among its own nearest or behind them at distance 0.
    found = _within(points, firsts, groups, points[firsts], k + 1)[groups]
    own = found == np.arange(len(points))[:, None]
    own[:, -1] |= ~own.any(1)
    return np.sort(found[~own].reshape(len(points), k), axis=1)


def _nearest(points: Array, asked: Array | None, k: int) -> Array:
    """[m, k]: the k nearest points of each, in any order; of ties the first."""
    import numpy as np

    nearest = _scientific("sklearn.neighbors")
    others = points if asked is None else asked
    most = len(points) - (asked is None)
    pool = min(k + SPARE, most)
    index = nearest.NearestNeighbors(n_neighbors=pool, algorithm="brute").fit(points)
    distances, found = index.kneighbors(asked)
    if pool > k:
        scale = 1e-6 * np.sqrt((points**2).sum(1).max())
        limit = distances[:, k - 1] * (1 + 1e-5) + scale
        for row in np.flatnonzero(distances[:, k] <= limit):
            among = found[row]
            if pool < most and distances[row, -1] <= limit[row]:
                among = np.delete(np.arange(len(points)), row if asked is None else [])
            among = np.sort(among)
            order = np.argsort(_squares(points[among], others[row]), kind="stable")
            found[row, :k] = among[order[:k]]
    return found[:, :k]


def _within(points: Array, firsts: Array, groups: Array, asked: Array, k: int) -> Array:
    """[m, k]: the k nearest points of each of `asked`, nearest first, where points coincide.

    Points that coincide are searched once. The groups of the k nearest points are the k groups
    that are nearest themselves, of ties those whose first point stands first.
    """
    import numpy as np

    distinct = points[firsts]
    near = _nearest(distinct, asked, min(k, len(distinct)))
    sizes = np.bincount(groups)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    found = np.empty((len(asked), k), dtype=np.int64)
    for row, some in enumerate(near):
        among = np.concatenate([members[group][:k] for group in some])
        squares = np.repeat(_squares(distinct[some], asked[row]), np.minimum(sizes[some], k))
        found[row] = among[np.lexsort((among, squares))[:k]]
    return found


def _squares(points: Array, asked: Array) -> Array:
    """The squared distances of one point to others, in double precision."""
    import numpy as np

    return ((points - asked).astype(np.float64) ** 2).sum(1)


def _distinct(points: Array) -> tuple[Array, Array]:
    """The index of the first of each group of points that coincide, and each point's group."""
    import numpy as np

    firsts: list[int] = []
    known: dict[bytes, int] = {}
    groups = np.empty(len(points), dtype=np.int64)
    for number, point in enumerate(points + np.float32(0)):  # -0 is 0
        mark = hashlib.sha256(point.tobytes()).digest()
        groups[number] = known.setdefault(mark, len(firsts))
        if groups[number] == len(firsts):
            firsts.append(number)
    return np.array(firsts, dtype=np.int64), groups


def _but_farthest(off: Array, count: int) -> Array:
    """The indices, ascending, of all but the `count` largest values; of ties the first go."""
    import numpy as np

    return np.sort(np.argsort(-np.round(off, 12), kind="stable")[count:])


def _scientific(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        package = "scikit-learn" if module.startswith("sklearn") else "scipy"
        raise missing_extra(package, "probe") from None
