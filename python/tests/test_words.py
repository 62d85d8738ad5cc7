"""The crate's texts in Python's words: flags of the command line become keywords, wherever they come from."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import occlude
from occlude._core import Settings, keywords

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for name, _, _ in Settings.table()]
# A string literal of Rust with a flag in it; comments are left out.
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*--[a-z](?:[^"\\]|\\.)*)"')
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


def texts():
    """Every text of the crates with a flag in it, but for tests and documentation."""
    for crate in ("occlude", "engine"):
        for path in sorted((ROOT / "crates" / crate / "src").rglob("*.rs")):
            if path.stem.endswith("tests"):
                continue
            code = path.read_text(encoding="utf-8").partition("#[cfg(test)]\nmod tests")[0]
            for line in code.splitlines():
                if not line.lstrip().startswith("//"):
                    yield from (pytest.param(m[1].replace('\\"', '"'), id=f"{path.stem}-{m[1][:40]}") for m in LITERAL.finditer(line))


@pytest.mark.parametrize("text", list(texts()))
def test_no_text_of_the_crates_says_a_flag_where_python_has_a_keyword(text):
    flags = [name for name in FLAG.findall(text) if name in NAMES]
    said = keywords(text)
    assert not [name for name in FLAG.findall(said) if name in NAMES or name == "with"], said
    for name in flags:
        assert f"{name.replace('-', '_')}=" in said
    # What follows a keyword is nothing, a number, a truth value or quoted text.
    for value in re.findall(rf"\b(?:{'|'.join(flags or ['-'])})=(\S*)", said):
        assert re.match(r"""^$|^[).,;:`]|^"[^"]+"|^-?[\d.]+|^True|^False""", value), said


def test_the_texts_are_found():
    assert len(list(texts())) > 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leave them out, or leave out --regions", "leave them out, or leave out regions="),
        ("leave out --approximate or --samples", "leave out approximate= or samples="),
        ("`--memory-limit 512M` or more", '`memory_limit="512M"` or more'),
        ("a larger --memory-limit", "a larger memory_limit="),
        ("--fill noise, or leave out --samples", 'fill="noise", or leave out samples='),
        ("for example --fill 0 or --fill 0.5,0.5,0.5", 'for example fill=0 or fill="0.5,0.5,0.5"'),
        ("--fill inpaint works in any unit", 'fill="inpaint" works in any unit'),
        ("--window 16, or --window 1x16x16 with", 'window=16, or window="1x16x16" with'),
        ("give --layout nchw or nhwc if the", 'give layout="nchw" or "nhwc" if the'),
        ("does not tell (--layout to change)", "does not tell (layout= to change)"),
        ("--preprocess resize=2x3,crop=no or --preprocess crop=2x3", 'preprocess="resize=2x3,crop=no" or preprocess="crop=2x3"'),
        ("--preprocess crop=HxW makes them so", 'preprocess="crop=HxW" makes them so'),
        ("a guess; --preprocess to change", "a guess; preprocess= to change"),
        ("--padded no leaves it out", "padded=False leaves it out"),
        ("--approximate 0.02 accepts", "approximate=0.02 accepts"),
        ("say it: --boxes cxcywh (YOLO), xyxy", 'say it: boxes="cxcywh" (YOLO), xyxy'),
        ("--boxes objectness=yes or no; names", 'boxes="objectness=yes" or no; names'),
        ("--boxes boxes=NAME,scores=NAME names them", 'boxes="boxes=NAME,scores=NAME" names them'),
        ("or use --runtime ort", 'or use runtime="ort"'),
        ("(--classes independent for Sigmoid)", '(classes="independent" for Sigmoid)'),
        ("(--score probability)", '(score="probability")'),
        ("--with depth=FILE gives it", 'x={"depth": ...} gives it'),
        ('memory-limit "4X" is not understood', 'memory_limit "4X" is not understood'),
        ("did you mean region-names?", "did you mean region_names?"),
        ("endings are .npz .npy; - is standard output (JSON)", "endings are .npz .npy"),
        # Other programs' flags, names and files are left alone.
        ("python -m tf2onnx.convert --keras model.h5", "python -m tf2onnx.convert --keras model.h5"),
        ("cannot read a--window/x--fill.npy", "cannot read a--window/x--fill.npy"),
        ("/data/memory-limit/x and -- alone", "/data/memory-limit/x and -- alone"),
        ("", ""),
    ],
)
def test_flags_as_keywords(text, said):
    assert keywords(text) == said


def test_what_python_says_is_what_python_takes(linear, x, demo, coffee):
    with pytest.raises(occlude.ArgumentError) as raised:
        occlude.occlusion(linear, x, samples=3)
    assert raised.value.hint == 'fill="noise", or leave out samples='
    with pytest.raises(occlude.LimitError) as raised:
        demo.occlusion(coffee, memory_limit="1M")
    limit = re.search(r'memory_limit="(\d+M)"', raised.value.hint)
    assert limit and demo.occlusion(coffee, window=112, memory_limit=limit[1], threads=1).complete
    with pytest.raises(occlude.ArgumentError, match='there is no setting "memory_limt"') as raised:
        demo.occlusion(coffee, memory_limt="1G")
    assert raised.value.hint == "did you mean memory_limit?"
    with pytest.raises(occlude.ArgumentError, match=r'^memory_limit "4X"'):
        demo.occlusion(coffee, memory_limit="4X")


def test_notes_and_pages_say_keywords_too(linear, x, tmp_path, repository):
    map = occlude.occlusion(linear, x, score="probability", target=1)
    assert any('classes="independent" for Sigmoid' in note for note in map.notes)
    assert "--classes" not in map.to_html() and not any("--" in note for note in map.to_dict()["notes"])
    (tmp_path / "alone.onnx").write_bytes((repository / "examples/efficientnet-lite0/model.onnx").read_bytes())
    alone = occlude.Model(tmp_path / "alone.onnx")
    assert "preprocess= to change" in alone.inspect()["preprocess_source"]
    named = alone.occlusion(repository / "examples/images/coffee.jpg", window=112, stride=112)
    assert any("preprocess= to change" in note for note in named.notes)
    assert np.isfinite(named.values).all()
