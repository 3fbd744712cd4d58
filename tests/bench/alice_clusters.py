"""Clustering 100 samples of each of 1,000 questions, against a naive loop written from METHODS.md.

    python tests/bench/alice_clusters.py [QUESTIONS [SAMPLES]]

The naive loop computes the embeddings of what is left anew for every cluster and compares strings
pair by pair. Both embed with the same cheap stand-in (hashed words), whose texts are counted: with
a real model the time is proportional to them. Memory is the growth of the process's peak between
the first tenth of the questions and the last.
"""

import random
import resource
import sys
import time
import zlib

import numpy as np

from w2s_data.steps.cluster import by_answer, by_meaning

DIMENSIONS = 256
THRESHOLD = 0.86  # cosines of few words are fractions; at 0.9 = 9/10 rounding would decide


class Embed:
    """Hashed words with a sign, as vectors of length 1."""

    texts = 0

    def __call__(self, texts):
        self.texts += len(texts)
        return np.stack([self.vector(text) for text in texts])

    @staticmethod
    def vector(text):
        found = np.zeros(DIMENSIONS, np.float32)
        for word in text.split():
            code = zlib.crc32(word.encode())
            found[code % DIMENSIONS] += 1 if code & 65536 else -1
        return found / (np.linalg.norm(found) or 1)


def question(number, samples):
    """Responses in a few meanings, worded in a few ways, and strays."""
    rng = random.Random(number)
    meanings = [
        f"it was {rng.choice('abcdefgh') * 8}{k} in the year {rng.randint(1, 99)}" for k in range(6)
    ]
    weights = [rng.random() ** 3 for _ in meanings]
    said = rng.choices(meanings, weights, k=samples)
    return [f"{text} {rng.choice(['so', 'yes', 'then', f'stray{rng.random()}'])}" for text in said]


def naive_meaning(texts, embed, threshold=THRESHOLD):
    left, groups = list(range(len(texts))), []
    while left:
        vectors = embed([texts[i] for i in left])
        first = vectors[0]
        group = [
            i for i, vector in zip(left, vectors) if i == left[0] or vector @ first > threshold
        ]
        groups.append(group)
        left = [i for i in left if i not in group]
    return sorted((tuple(group) for group in groups if len(group) > 1), key=len, reverse=True)


def naive_answer(answers):
    left, groups = [i for i, answer in enumerate(answers) if answer], []
    while left:
        group = [i for i in left if answers[i] == answers[left[0]]]
        groups.append(group)
        left = [i for i in left if i not in group]
    return sorted((tuple(group) for group in groups if len(group) > 1), key=len, reverse=True)


def timed(name, questions, samples, cluster, read=lambda texts: texts):
    """Cluster every question; returns the groups. Prints rates and the growth of memory."""
    found, spent, early = [], 0.0, 0
    for number in range(questions):
        texts = read(question(number, samples))
        began = time.process_time()
        result = cluster(texts)
        spent += time.process_time() - began
        found.append(tuple(getattr(result, "groups", result)))
        if number == questions // 10:
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early) / 1024
    print(f"{name:28} {questions / spent:10,.0f} questions/s, memory +{grown:.1f} MB", flush=True)
    return found, spent


def answers(texts):
    return [None if "stray" in text else text.split()[-2] for text in texts]


def main(questions=1000, samples=100):
    print(f"{questions:,} questions with {samples} samples each")
    own, naive = Embed(), Embed()
    ours, spent = timed("meaning, rule first", questions, samples,
                        lambda t: by_meaning(t, own, THRESHOLD, "first"))  # fmt: skip
    theirs, wasted = timed("meaning, naive loop", questions, samples,
                           lambda t: naive_meaning(t, naive))  # fmt: skip
    assert ours == theirs
    print(f"  same clusters; {wasted / spent:.1f} times as fast; texts embedded: {own.texts:,}, "
          f"naive {naive.texts:,}")  # fmt: skip
    timed("meaning, rule densest", questions, samples, lambda t: by_meaning(t, own, THRESHOLD))
    ours, spent = timed("answer, rule first", questions, samples,
                        lambda t: by_answer(t, "first"), answers)  # fmt: skip
    theirs, wasted = timed("answer, naive loop", questions, samples, naive_answer, answers)
    assert ours == theirs
    print(f"  same clusters; {wasted / spent:.1f} times as fast")
    timed("answer, classes", questions, samples, by_answer, answers)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
