"""A report page of made-up videos, with names that a careless page would run or break on."""

import numpy as np

from rlld_agents.labels.removal import removal_quality
from rlld_agents.reports.page.content import Chart, Page, Videos, prediction_codes

CLASSES = ("<script>document.title='broken'</script>", "人の話し声", "Dog & 'cat'", "Frying_(food)", "Speech")


def made_up_videos(number: int = 40, segments: int = 12, *, known: bool = True, seed: int = 0) -> Videos:
    """Return videos with one to five labels each; without scores, predictions and truth unless they are known."""
    random = np.random.default_rng(seed)
    weak = random.random((number, len(CLASSES))) < 0.4
    weak[np.arange(number), random.integers(len(CLASSES), size=number)] = True
    scores = np.where(weak[:, None], random.random((number, 2, len(CLASSES))), 0).astype(np.float32)
    dense = weak[:, None, None] & (random.random((number, segments, 2, len(CLASSES))) < 0.2)
    probability = np.clip(dense * 0.6 + random.random(dense.shape) * 0.42, 0, 1)
    names = [f"vid-{index:05d}_0_10" for index in range(number)]
    removed = weak[:, None] & (scores > 0.5)
    removed[(removed == weak[:, None]).all(axis=(1, 2))] = False  # no video loses all its labels
    names[1] = "<b>é&</b>_0_10"
    return Videos(
        names=names,
        classes=CLASSES,
        weak=weak,
        removed=removed,
        scores=scores if known else None,
        boundary=np.full((2, len(CLASSES)), 0.5) if known else None,
        predicted=prediction_codes(probability, probability > 0.5) if known else None,
        dense=dense if known else None,
    )


def made_up_page(videos: Videos) -> Page:
    """Return a page of videos."""
    left = videos.weak[:, None] & ~videos.removed
    truth = None
    if videos.dense is not None:
        true = videos.dense.any(axis=1) & videos.weak[:, None]
        truth = (true[:, 0], true[:, 1])
    return Page(
        title="<i>data</i>: imitation",
        facts={"command": "rlld train --data '<img src=x onerror=alert(1)>'"},
        tables="Scores of <u>\n\n| on | V |\n|----|---:|\n| <s> | 1.5 |\n\nNothing more.",
        charts=[Chart("Return <", "episode", {"<l>": [(1, 2.0), (2, 3.5)]}, {"keep & all": 2.5})],
        figures={'a "figure"': b"\x89PNG"},
        quality=removal_quality(videos.weak, left[:, 0], left[:, 1], truth, videos.scores),
        videos=videos,
    )
