"""The report page without a browser: what is in its data, that it is one file, that no text becomes markup."""

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rlld_agents.reports.page.charts import ticks
from rlld_agents.reports.page.content import UNCERTAIN, Videos, separating_scores
from rlld_agents.reports.page.document import page_html, write_page
from rlld_agents.reports.page.packing import pack_videos
from tests.agents.reports.pages import made_up_page, made_up_videos


def unpacked(block: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a block as its format says, without the code that wrote it."""
    data = gzip.decompress(block)
    length = int.from_bytes(data[:4], "little")
    header, place, arrays = json.loads(data[4 : 4 + length]), 4 + length, {}
    for name, dtype, size in header["arrays"]:
        assert place % np.dtype(dtype).itemsize == 0, "typed arrays must be aligned"
        arrays[name] = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), size, place)
        place += arrays[name].nbytes
    assert place == len(data)
    return header, arrays


def test_the_block_holds_every_label_and_every_segment_of_it() -> None:
    videos = made_up_videos()
    header, arrays = unpacked(pack_videos(videos))
    assert (header["names"], header["classes"]) == (list(videos.names), list(videos.classes))
    assert header["segments"] == 12
    assert videos.scores is not None
    assert videos.dense is not None
    assert videos.predicted is not None
    cells, scores = arrays["cells"].reshape(-1, 2, 12), arrays["scores"].reshape(-1, 2)
    seen = np.zeros_like(videos.weak)
    for video in range(len(videos.names)):
        for row in range(arrays["offsets"][video], arrays["offsets"][video + 1]):
            label, flags = arrays["classes"][row], arrays["flags"][row]
            seen[video, label] = True
            assert bool(flags & 1) == videos.weak[video, label]
            for modality in (0, 1):
                score = videos.scores[video, modality, label]
                assert bool(flags & 2 << modality) == videos.removed[video, modality, label]
                near = abs(score - 0.5) <= UNCERTAIN and videos.weak[video, label]
                assert bool(flags & 8 << modality) == near
                emptied = (videos.scores[video][:, videos.weak[video]] > 0.5).all()
                assert bool(flags & 32 << modality) == (videos.weak[video, label] and emptied)
                assert scores[row, modality] / 255 == pytest.approx(score, abs=0.5 / 255 + 1e-6)
                track = cells[row, modality]
                np.testing.assert_array_equal(track & 1, videos.dense[video, :, modality, label])
                np.testing.assert_array_equal(track & 0xFE, videos.predicted[video, :, modality, label])
    assert (seen >= videos.weak).all()
    np.testing.assert_array_equal(videos.dense.any(axis=(1, 2)) & ~seen, False)
    assert pack_videos(videos) == pack_videos(made_up_videos()), "no dates, no order of the day"


def test_what_is_unknown_is_said_to_be_unknown() -> None:
    header, arrays = unpacked(pack_videos(made_up_videos(known=False)))
    assert header["knows"] == {"scores": False, "predictions": False, "truth": False}
    assert (header["segments"], arrays["cells"].size) == (0, 0)
    html = page_html(made_up_page(made_up_videos(known=False)))
    assert "noise, true" not in html
    assert "noise, learned" not in html
    assert "noise that was kept" not in html
    assert "noise that was kept" in page_html(made_up_page(made_up_videos()))


def test_ten_thousand_videos_of_llps_size_stay_small() -> None:
    """25 classes, 10 segments, random numbers everywhere: real ones compress better."""
    block = pack_videos(made_up_videos(10_000, 10))
    assert len(base64.b64encode(block)) < 3_000_000


class _Tags(HTMLParser):
    """Collects tags, addresses and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_names_never_become_markup_and_nothing_is_loaded(tmp_path: Path) -> None:
    write_page(made_up_page(made_up_videos()), tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = _Tags()
    page.feed(html)
    assert page.tags.count("script") == 2, "the data and our own"
    assert not {"i", "u", "s"} & set(page.tags)
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    texts = " ".join(page.texts)
    for text in ("<i>data</i>: imitation", "Scores of <u>", "人の話し声", "Nothing more.", "keep & all"):
        assert text in texts
    (script,) = re.findall(r'<script type="module">(.*?)</script>', html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'; img-src data:; media-src 'self' file:; " in html
    assert f"script-src 'sha256-{digest}'" in html
    assert "innerHTML" not in script
    assert "://" not in script


def test_outcomes_of_a_class_add_up_to_its_labels() -> None:
    videos = made_up_videos()
    html = page_html(made_up_page(videos))
    rows = re.findall(r'data-class="(\d)".*?</th>(.*?)<div class="bar"', html, flags=re.DOTALL)
    assert [int(index) for index, _ in rows] == [*range(5), *range(5)]
    assert videos.scores is not None
    assert videos.dense is not None
    for place, (index, cells) in enumerate(rows):
        label, modality = int(index), place // 5
        values = re.findall(r"<td>([^<]*)</td>", cells)
        assert int(values[0]) == sum(map(int, values[4:])) == videos.weak[:, label].sum()
        mean = videos.scores[videos.weak[:, label], modality, label].mean()
        assert values[2] == f"{100 * mean:.1f} %"
        true = videos.dense[:, :, modality, label].any(axis=1)
        wrongly = (videos.removed[:, modality, label] & true).sum()
        assert int(values[5]) == wrongly, "clean removed"


def test_labels_that_go_by_rank_are_separated_class_by_class() -> None:
    weak = np.array([[True, True], [True, True], [True, False]])
    scores = np.zeros((3, 2, 2), np.float32)
    scores[:, 0, 0] = [0.2, 0.4, 0.8]
    removed = scores > 0.5
    boundary = separating_scores(scores, removed, weak)
    assert boundary[0, 0] == pytest.approx(0.6)
    assert boundary[1, 0] > scores[:, 1, 0].max(), "nothing went"
    everything = separating_scores(scores, np.broadcast_to(weak[:, None], (3, 2, 2)), weak)
    assert (everything < 0).all(), "nothing stayed: below every score"


def test_without_probabilities_there_is_no_learned_noise() -> None:
    by_rank = dataclasses.replace(made_up_videos(), scores_are_probabilities=False)
    assert by_rank.learned_noise is None
    assert unpacked(pack_videos(by_rank))[0]["probabilities"] is False
    one = Videos(["a"], ["Dog", "Cat"], np.array([[True, False]]), np.zeros((1, 2, 2), bool))
    assert not one.uncertain.any()
    assert not by_rank.given_back.any(), "what goes by rank is not above or below anything"


@pytest.mark.parametrize(
    ("low", "high", "whole"),
    [(0, 1, False), (7.47, 8.35, False), (-3, -3, False), (1, 64, True), (5, 5, True)],
)
def test_ticks_enclose_the_values_at_round_steps(low: float, high: float, whole: bool) -> None:
    places = ticks(low, high, whole=whole)
    steps = np.diff(places)
    assert places[0] <= low <= high <= places[-1]
    assert 2 <= len(places) <= 8
    np.testing.assert_allclose(steps, steps[0])
    assert not whole or steps[0] >= 1
