"""What the tests against the real packages share (`make peers`; `make test` leaves this folder out)."""

from __future__ import annotations

import pytest

import occlude._dropin
import occlude.mindspore


@pytest.fixture(params=["called", "incremental"])
def way(request, monkeypatch):
    """Every test runs twice: with the model called, and with its export, however small the work is."""
    worth = 0.0 if request.param == "incremental" else float("inf")
    monkeypatch.setattr(occlude._dropin, "WORTH_AN_EXPORT", worth)
    monkeypatch.setattr(occlude.mindspore, "WORTH_AN_EXPORT", worth)
    return request.param
