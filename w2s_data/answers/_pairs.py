"""The worker process of `batch`: reads chunks of pairs as JSON lines, answers with verdicts."""

from __future__ import annotations

from w2s_data.answers.batch import decided
from w2s_data.answers.policy import Policy
from w2s_data.answers.workers import READY, questions, say


def main() -> None:
    asked = questions()
    say(READY)
    for pairs, choices, compat in asked:
        found = decided(pairs, Policy(**choices), compat)
        say([(verdict.kind, verdict.reason) for verdict in found])


if __name__ == "__main__":
    main()
