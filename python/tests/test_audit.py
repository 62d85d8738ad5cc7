"""`Model.audit` and `audit_rows`: the rows of the command line, kept and summed up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import occlude
from occlude._audit import COLUMNS
from occlude.exceptions import ArgumentError, FileError

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "efficientnet-lite0"
TABLE = ROOT / "examples" / "images" / "objects.csv"
QUICK: dict[str, Any] = {"window": 112, "stride": 56, "judge": {"elsewhere": 2}}

parquet = pytest.importorskip("pyarrow.parquet")


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    found = [row for part in sorted(folder.glob("*.parquet")) for row in parquet.read_table(part).to_pylist()]
    assert len({row["path"] for row in found}) == len(found)
    return {row["path"]: row for row in found}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> occlude.Audit:
    return occlude.Model(MODEL).audit(TABLE, tmp_path_factory.mktemp("audit") / "objects", pages=2, **QUICK)


def test_what_is_found(audit: occlude.Audit) -> None:
    assert audit.complete and audit.known == 0 and audit.notes == ()
    assert audit.summary["schema"] == "occlude.audit/1"
    assert audit.summary["verdicts"]["judged"] == 4
    clear = audit.summary["verdicts"]["surroundings_of_clear"]
    assert audit.surroundings == clear["share"]
    assert f"surroundings {clear['count']} of {clear['of']} clear verdicts" in repr(audit)
    assert audit.report.read_text().startswith("<!doctype html>")
    found = rows(audit.rows)
    assert set(found) == {"coffee.jpg", "chelsea.jpg", "rocket.jpg", "astronaut.jpg"}
    assert list(found["coffee.jpg"]) == [name for name, _, _ in COLUMNS]
    assert found["coffee.jpg"]["correct"] is True and found["coffee.jpg"]["most_probable"] == "espresso"
    assert found["astronaut.jpg"]["correct"] is None and audit.summary["unknown_classes"] == 1
    summed = occlude.summarize_audit(audit.rows, shown=2)
    assert summed["verdicts"] == audit.summary["verdicts"] and summed["average"] == audit.summary["average"]
    # A verdict is that of `judge`.
    judged = occlude.Model(MODEL).judge(TABLE.parent / "coffee.jpg", [[170, 10, 420, 230]], window=112, stride=56, elsewhere=2)
    assert found["coffee.jpg"]["verdict"] == judged.verdict
    shares = judged.judgements[0].shares
    assert shares is not None and found["coffee.jpg"]["share"] == shares.share


def test_it_goes_on_where_it_was(audit: occlude.Audit) -> None:
    told: list[tuple[int, int]] = []

    class Bar:
        def __init__(self, total: int, desc: str, unit: str) -> None:
            assert (total, unit) == (4, "image")
            self.done = 0

        def update(self, more: int) -> None:
            self.done += more
            told.append((self.done, 4))

        def close(self) -> None:
            pass

    again = occlude.Model(MODEL, threads=1).audit(TABLE, audit.folder, pages=0, progress=Bar, **QUICK)
    assert (again.known, again.complete, told[-1]) == (4, True, (4, 4))
    with pytest.raises(ArgumentError, match="fill was default, now it is blur"):
        occlude.Model(MODEL).audit(TABLE, audit.folder, fill="blur", **QUICK)


def test_an_exception_of_the_bar_stops_it_and_keeps_rows(tmp_path: Path) -> None:
    class Bar:
        def __init__(self, **_: object) -> None:
            self.done = 0

        def update(self, more: int) -> None:
            self.done += more
            if self.done >= 2:
                raise KeyboardInterrupt

        def close(self) -> None:
            pass

    model = occlude.Model(MODEL)
    with pytest.raises(KeyboardInterrupt):
        model.audit(TABLE, tmp_path / "a", pages=0, progress=Bar, workers=1, **QUICK)
    again = model.audit(TABLE, tmp_path / "a", pages=0, **QUICK)
    assert again.complete and again.known >= 2


def test_rows_of_one_image_are_those_of_the_audit(audit: occlude.Audit) -> None:
    model = occlude.Model(MODEL)
    found = rows(audit.rows)
    data = (TABLE.parent / "chelsea.jpg").read_bytes()
    [row] = model.audit_rows(data, "chelsea.jpg", labels=["Egyptian cat"], objects=[("Egyptian cat", [0, 0, 375, 300], None)], **QUICK)
    assert row == found["chelsea.jpg"]
    [broken] = model.audit_rows(data[:2000], "cut.jpg", **QUICK)
    assert "truncated" in broken["error"] and broken["verdict"] is None
    two = model.audit_rows(data, "chelsea.jpg", objects=[(None, [0, 0, 375, 300], None)], target=["tabby", "tiger cat"], **QUICK)
    assert [row["target"] for row in two] == ["tabby", "tiger cat"]


@pytest.mark.skipif("OCCLUDE" not in os.environ, reason="OCCLUDE is not set: no command line to compare with")
def test_the_command_line_has_the_same_rows(audit: occlude.Audit, tmp_path: Path) -> None:
    line = [os.environ["OCCLUDE"], "audit", MODEL, TABLE, "-o", tmp_path / "a", "--window", "112", "--stride", "56", "--elsewhere", "2",
            "--pages", "2", "--json", "-q"]  # fmt: skip
    said = subprocess.run([str(word) for word in line], check=True, capture_output=True, text=True).stdout
    assert rows(tmp_path / "a" / "rows") == rows(audit.rows)
    assert json.loads(said) == audit.summary


def test_what_is_refused(tmp_path: Path) -> None:
    model = occlude.Model(MODEL)
    with pytest.raises(ArgumentError, match="truth and target are both given"):
        model.audit(TABLE, tmp_path / "a", truth=True, target=3)
    with pytest.raises(FileError, match="cannot open the data set"):
        model.audit(tmp_path / "none", tmp_path / "a")
    with pytest.raises(ArgumentError, match="no option"):
        model.audit(TABLE, tmp_path / "a", judge={"elswhere": 3})
    with pytest.raises(ArgumentError, match="object has 2 numbers"):
        model.audit(TABLE, tmp_path / "a", object=[0.1, 0.9])
    with pytest.raises(ArgumentError, match="window"):
        model.audit(TABLE, tmp_path / "a", window=300)
    with pytest.raises(FileError, match=r"holds no \.parquet file"):
        occlude.summarize_audit(tmp_path)
    assert not (tmp_path / "a").exists()
