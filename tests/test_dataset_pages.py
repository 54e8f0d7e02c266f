"""The pages of docs/datasets/ from beginning to end on made-up files: what they say to type runs."""

from pathlib import Path

import pytest

from rlld_gym.data import FeatureStore
from tests.data import made_up
from tests.pages import DOCS, blocks, run

PAGES = DOCS / "datasets"
SHORTER = {
    "train": ["--rounds", "1", "--parser-epochs", "1", "--hidden-size", "8", "--workers", "1"],
    "denoise": ["--epochs", "1", "--hidden-size", "8"],
    "train-parser": ["--epochs", "1", "--hidden-size", "8"],
}
"""Words that make a command of the page one of seconds."""

SHAPES = {
    "llp.h5": (10, 25, (5, 6, 3)),
    "ave.h5": (10, 28, (5, 6, 0)),
    "unav.h5": (60, 100, (5, 6, 0)),
    "clip.h5": (10, 25, (5, 6, 0)),
    "own.h5": (20, 7, (5, 6, 0)),
    "watched.h5": (20, 7, (5, 6, 0)),
}
"""Store that a page makes -> segments, classes, feature sizes."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(path.stem, marks=[pytest.mark.long] if path.stem == "ave" else [])
        for path in sorted(PAGES.glob("*.md"))
        if path.stem != "README"
    ],
)
@pytest.mark.filterwarnings("ignore:.*have no event in either file")
def test_a_page_runs_from_beginning_to_end(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    getattr(made_up, page)()
    for language, block in blocks(f"datasets/{page}.md"):
        run(language, block, {}, SHORTER)
    made = {path.name for path in tmp_path.glob("*.h5")} & set(SHAPES)
    assert made
    for name in made:
        store = FeatureStore.open(tmp_path / name)
        sizes = store.audio_size, store.visual_2d_size, store.visual_3d_size
        assert (store.num_segments, len(store.classes), sizes) == SHAPES[name]
    assert list(tmp_path.rglob("denoised_labels.csv"))
