"""Extraction by actors of Ray: the same files, no matter who is killed; refusals in one line."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rlld_gym.data.extract import ray_backend
from rlld_gym.data.extract.ray_backend import Actor, actors_device
from rlld_gym.data.extract.run import extract
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.data.extract.worker import ExtractOptions
from rlld_gym.errors import InputError
from tests.data.extract.clips import write_clip
from tests.data.extract.test_run import OPTIONS, STREAM, arrays, assert_same, counts, make_videos

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs ray")


@needs_ray
@pytest.mark.long
def test_ray_makes_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ray.data", exc_type=ImportError)
    videos = make_videos(tmp_path / "videos")
    extract(videos, tmp_path / "here", OPTIONS, at_a_time=2)
    report = extract(videos, tmp_path / "out", OPTIONS, at_a_time=2, workers=2, backend="ray")
    assert counts(report) == (4, 0, 2)
    assert_same(arrays(tmp_path / "out"), arrays(tmp_path / "here"))
    assert (tmp_path / "out" / "notes.tsv").read_text() == (tmp_path / "here" / "notes.tsv").read_text()


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is there")
def test_ray_that_is_not_there(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 0.5)
    with pytest.raises(InputError, match="--backend ray needs ray; install it"):
        extract(tmp_path, tmp_path / "out", OPTIONS, backend="ray")


class KilledOnce(Actor):
    """Is killed, the first of all actors to have a video that is written, before it can say so."""

    def made(self, works: Any) -> Any:
        outcomes = super().made(works)
        try:
            (works[0].path.parent / "killed").open("x").close()
        except FileExistsError:
            return outcomes
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")


@needs_ray
@pytest.mark.parametrize("nodes", [1, pytest.param(2, marks=pytest.mark.long)])
def test_ray_and_an_actor_that_is_killed(nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, nothing is there or reported twice."""
    pytest.importorskip("ray.data", exc_type=ImportError)
    from ray.cluster_utils import Cluster  # noqa: PLC0415 (an optional library)

    videos = make_videos(tmp_path / "videos")
    extract(videos, tmp_path / "here", OPTIONS)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 3 - nodes, "include_dashboard": False}
    )
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        monkeypatch.setattr(ray_backend, "Actor", KilledOnce)
        report = extract(videos, tmp_path / "out", OPTIONS, at_a_time=1, workers=2, backend="ray")
    finally:
        cluster.shutdown()
    assert (videos / "killed").is_file()
    assert counts(report) == (4, 0, 2)
    assert_same(arrays(tmp_path / "out"), arrays(tmp_path / "here"))
    assert (tmp_path / "out" / "notes.tsv").read_text() == (tmp_path / "here" / "notes.tsv").read_text()


@needs_ray
@pytest.mark.long
def test_what_an_actor_of_ray_refuses(tmp_path: Path) -> None:
    """Is told as this process would, not as Ray's traces."""
    pytest.importorskip("ray.data", exc_type=ImportError)
    write_clip(tmp_path / "b.mp4", 0.5)
    extract(tmp_path, tmp_path / "out", OPTIONS)
    write_clip(tmp_path / "a.mp4", 0.5)
    (tmp_path / "out" / STREAM / "a.npy").mkdir()
    with pytest.raises(InputError, match=r"a\.npy: Is a directory; name a file$"):
        extract(tmp_path, tmp_path / "out", OPTIONS, backend="ray")


@needs_ray
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ExtractOptions(OPTIONS.grid, (STREAM,), {STREAM: "nowhere.pth"}, "cpu"),
            "nowhere.pth: no such file",
        ),
        (ExtractOptions(TimeGrid(2, 1.0, 2.0), (STREAM,), OPTIONS.weights, "cuda:1"), "say --device cuda$"),
    ],
)
def test_ray_is_not_asked_for_what_cannot_be(tmp_path: Path, options: ExtractOptions, message: str) -> None:
    pytest.importorskip("ray.data", exc_type=ImportError)
    write_clip(tmp_path / "a.mp4", 0.5)
    with pytest.raises(InputError, match=message):
        extract(tmp_path, tmp_path / "out", options, backend="ray")
    assert not (tmp_path / "out").exists()


def test_devices_of_actors() -> None:
    assert [actors_device(device, 2) for device in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    assert [actors_device(device, 0) for device in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(InputError, match=r"--device cuda .* no GPU"):
        actors_device("cuda", 0)
