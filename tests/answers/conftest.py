"""Proofs have more time here than by default, so that no verdict hangs on how busy a machine is."""

from __future__ import annotations

import pytest

from w2s_data.answers import prove


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    prove.warm()
    monkeypatch.setattr(prove, "SECONDS", 20.0)
