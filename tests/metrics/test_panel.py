import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.metrics.made_up import Made, scenes
from zerosum.core.batch import Tokens
from zerosum.core.errors import Refusal
from zerosum.core.pictures import from_uint8
from zerosum.metrics import gallery as module
from zerosum.metrics.interval import Interval
from zerosum.metrics.panel import Panel, verdict

RANDOM = ("random",)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only the features' cache: EfficientNet's weights need not be fetched for each test."""
    monkeypatch.setattr(module, "cache_dir", lambda *parts: tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def source() -> Made:
    return Made(scenes(300), heldout=scenes(150, seed=9))


def resized(pixels: np.ndarray) -> np.ndarray:
    """Down to three quarters and back by Pillow: one resize too many."""
    size, side = pixels.shape[1], pixels.shape[1] * 3 // 4
    small = [Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR) for p in pixels]
    return np.stack([np.asarray(p.resize((size, size), Image.Resampling.BILINEAR)) for p in small])


def test_the_scores_are_plain_and_complete(source: Made) -> None:
    scores = Panel(source, n=100).score(scenes(80, seed=1))
    assert list(scores) == ["n", "kid", "kid_random", "coverage", "reference", "verdict"]
    for name in ("kid", "kid_random"):
        assert list(scores[name]) == ["value", "low", "high", "floor", "pca_gaussian"]
        assert all(type(value) is float for value in scores[name].values())
        assert scores[name]["low"] < scores[name]["value"] < scores[name]["high"]
    assert list(scores["coverage"]) == ["value", "ceiling", "pca_gaussian"]
    assert scores["n"] == 80
    assert scores["reference"] == {"n": 100, "floor": "100 held-out pictures"}
    assert type(scores["verdict"]["ratio"]) is float
    assert json.loads(json.dumps(scores)) == scores


def test_real_pictures_are_good_and_harm_shows(source: Made) -> None:
    panel = Panel(source, n=300, judges=RANDOM)
    real = panel.score(scenes(300, seed=1))
    harmed = panel.score(resized(scenes(300, seed=1)))
    assert "kid" not in real
    assert real["kid_random"]["low"] < 0
    assert real["verdict"]["ratio"] < 0.1
    assert real["coverage"]["value"] > 0.9 * real["coverage"]["ceiling"]
    assert "As good as real" in real["verdict"]["text"]
    assert harmed["kid_random"]["low"] > real["kid_random"]["high"]
    collapsed = panel.score(np.repeat(scenes(2, seed=1), 100, axis=0))
    assert collapsed["coverage"]["value"] < 0.1
    assert "collapsed" in collapsed["verdict"]["text"]
    assert collapsed["verdict"]["ratio"] > 1


def test_arrays_and_batches_are_the_same_pictures(source: Made) -> None:
    panel = Panel(source, n=60, judges=RANDOM)
    made = scenes(70, seed=1)
    wanted = panel.score(made)
    assert panel.score(x + 0.001 for x in from_uint8(made).split(9)) == _close(wanted)


def _close(scores: dict) -> dict:
    """The same, but for the rounding that depends on how many pictures a batch holds."""
    return {
        key: pytest.approx(value, rel=1e-3, abs=1e-6) if key in ("kid_random", "coverage") else _verdict(key, value)
        for key, value in scores.items()
    }


def _verdict(key: str, value: object) -> object:
    return {**value, "ratio": pytest.approx(value["ratio"], rel=1e-3)} if key == "verdict" else value  # type: ignore


def test_a_second_start_looks_at_nothing(source: Made, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Panel(source, n=60, judges=RANDOM).score(scenes(60, seed=1))
    with monkeypatch.context() as patch:
        patch.setattr(Made, "batch", lambda self, indices: pytest.fail("the pictures were read again"))
        assert Panel(source, n=60, judges=RANDOM).score(scenes(60, seed=1)) == first
        for changed in ({"n": 61}, {"seed": 1}):
            with pytest.raises(pytest.fail.Exception):
                Panel(source, judges=RANDOM, **{"n": 60, **changed})
        with pytest.raises(pytest.fail.Exception):
            Panel(Made(source.pixels, heldout=source.pixels[:60]), n=60, judges=RANDOM)
    for file in empty_cache.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert Panel(source, n=60, judges=RANDOM).score(scenes(60, seed=1)) == first


def test_without_heldout_pictures_halves_make_the_floor(source: Made) -> None:
    panel = Panel(Made(source.pixels[:120], heldout=source.pixels[:49]), judges=RANDOM)
    assert panel.n == 120
    scores = panel.score(scenes(200, seed=1))
    assert scores["reference"] == {"n": 120, "floor": "halves of the reference"}
    assert abs(scores["kid_random"]["floor"]) < scores["kid_random"]["pca_gaussian"]
    assert scores["coverage"]["ceiling"] < 1


def test_what_says_nothing_is_refused(source: Made) -> None:
    with pytest.raises(Refusal, match=r"49 .*at least 50"):
        Panel(Made(source.pixels[:49]), judges=RANDOM)
    panel = Panel(source, n=60, judges=RANDOM)
    with pytest.raises(Refusal, match="at least 50"):
        panel.score(scenes(49))
    with pytest.raises(Refusal, match="at least 50"):
        panel.score([])
    with pytest.raises(Refusal, match="32 x 32 x 3"):
        panel.score(scenes(60, side=16))
    with pytest.raises(Refusal, match="random"):
        Panel(source, judges=("randon",))  # type: ignore[arg-type]
    tokens = Made(source.pixels)
    tokens.holds = Tokens
    with pytest.raises(Refusal, match="sequences"):
        Panel(tokens)


def spread(value: float) -> dict[str, float]:
    return {"value": value, "ceiling": 0.97, "pca_gaussian": 0.5}


@pytest.mark.parametrize(
    ("semantic", "untrained", "covered", "ratio", "said"),
    [
        (0.02, 0.03, 0.6, 0.3, "Better than PCA-Gaussian"),
        (0.02, 0.03, 0.49, 0.3, "Better than PCA-Gaussian"),
        (0.097, 0.098, 0.5, 0.98, "Not yet better"),
        (0.02, 0.03, 0.3, 1.561, "The judges disagree, and the worst one leads: it covers less"),
        (0.02, 0.03, 0.01, 46.8, "The judges disagree, and the worst one leads: it hardly covers"),
        (0.20, 0.30, 0.6, 3.0, "Not yet better"),
        (0.02, 0.30, 0.6, 3.0, "judges disagree"),
        (0.20, 0.30, 0.001, 468, "Not yet better"),
        (0.20, 0.30, 0.001, 468, "collapsed"),
        (0.0, 0.001, 0.95, 0.01, "As good as real pictures"),
    ],
)
def test_the_worst_opinion_leads(semantic: float, untrained: float, covered: float, ratio: float, said: str) -> None:
    kids = {
        name: Interval(value, value - 0.005, value + 0.005)
        for name, value in (("kid", semantic), ("kid_random", untrained))
    }
    known = {name: {"floor": Interval(0, -0.002, 0.002), "pca_gaussian": Interval(0.1, 0.09, 0.11)} for name in kids}
    found = verdict(1000, kids, known, spread(covered))
    assert found["ratio"] == pytest.approx(ratio, rel=1e-3)
    assert said in found["text"]
    assert found["text"].count(". ") == 0


def test_a_perfect_baseline_does_not_divide_by_nothing() -> None:
    kids = {"kid_random": Interval(0.02, 0.01, 0.03)}
    known = {"kid_random": {"floor": Interval(0, -0.002, 0.002), "pca_gaussian": Interval(-0.001, -0.005, 0.003)}}
    assert verdict(1000, kids, known, spread(0.6))["ratio"] == pytest.approx(5.0)


def test_a_panel_wants_a_judge(source: Made) -> None:
    with pytest.raises(Refusal, match="no judge is named"):
        Panel(source, judges=())


def test_the_floor_is_that_of_pictures_not_in_the_reference() -> None:
    """Held-out pictures of another kind have a floor far from 0: it is they that are looked at."""
    panel = Panel(Made(scenes(100), heldout=255 - scenes(100) // 4), n=100, judges=RANDOM)
    assert panel.known["kid_random"]["floor"].low > 0


def test_more_harm_is_worse_to_both_opinions_that_need_no_weights(source: Made) -> None:
    panel = Panel(source, n=200, judges=RANDOM)
    x = from_uint8(scenes(200, seed=1))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    blurred, twice = (F.avg_pool2d(x, size, 1, size // 2, count_include_pad=False) for size in (3, 7))
    for harmed in ([x, blurred, twice], [x, x + 0.1 * noise, x + 0.3 * noise]):
        values = [panel.score([y])["kid_random"]["value"] for y in harmed]
        assert values == sorted(values)
        assert values[2] > 5 * abs(values[0])
    light = (x.mean((1, 2, 3)) > 0).nonzero().flatten()
    fewer = [x, x[light.repeat(4)[:200]], x[light[:4].repeat(50)]]
    shares = [panel.score([y])["coverage"]["value"] for y in fewer]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] < 0.8 * shares[0]
