"""Each stream against its library's own way from pictures to features; weights from files."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rlld_gym.data.extract.decode import Clip
from rlld_gym.data.extract.libraries import need
from rlld_gym.data.extract.llp_streams import (
    KINETICS_MEAN,
    KINETICS_STD,
    R2Plus1DStream,
    ResNetStream,
    VGGishStream,
)
from rlld_gym.data.extract.log_mel import patches
from rlld_gym.data.extract.pictures import normalise, resize, resize_and_crop
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.data.extract.streams import LLP_STREAMS, FrameStream, make_stream, stream_class
from rlld_gym.data.extract.weights import identity, load_weights, made_at_random, parse_weights, read_state
from rlld_gym.errors import InputError

needs_torchvision = pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
GRID = TimeGrid(2, 1.0, 2.0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CPU = torch.device("cpu")
PHOTO = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8).repeat(4, 0).repeat(3, 1)
"""(360, 390, 3), in blocks."""


def a_clip(stream: FrameStream, seed: int = 1) -> Clip:
    images = (
        np.random.default_rng(seed)
        .integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
        .repeat(14, 1)
        .repeat(14, 2)
    )
    return Clip({stream.name: [stream.prepare(image) for image in images]}, {}, ())


def test_vggish_layer_by_layer() -> None:
    stream = make_stream("vggish", TimeGrid(2, 2.0, 1.0), "random")
    assert isinstance(stream, VGGishStream)
    sound = np.random.default_rng(0).uniform(-1, 1, 64000).astype(np.float32)
    ours = stream.features([stream.inputs(Clip({}, {16000: sound}, ()))], 3, CPU)[0]
    state = stream.network.state_dict()
    maps = torch.from_numpy(patches(sound.reshape(2, 32000)).reshape(4, 1, 96, 64))
    for layer, pooled in ((0, True), (3, True), (6, False), (8, True), (11, False), (13, True)):
        weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
        maps = functional.relu(functional.conv2d(maps, weight, bias, padding=1))
        maps = functional.max_pool2d(maps, 2) if pooled else maps
    assert maps.shape == (4, 512, 6, 4)
    flat = torch.stack([torch.cat([maps[n, :, t, f] for t in range(6) for f in range(4)]) for n in range(4)])
    for layer in (0, 2, 4):
        flat = functional.relu(
            flat @ state[f"embeddings.{layer}.weight"].T + state[f"embeddings.{layer}.bias"]
        )
    assert ours.shape == (2, 128)
    assert ours.min() >= 0
    np.testing.assert_allclose(ours, flat.reshape(2, 2, 128).mean(1).numpy(), rtol=1e-4, atol=1e-7)


@needs_torchvision
def test_resnet_features_are_those_of_torchvision() -> None:
    stream = make_stream("res152", GRID, "random")
    assert isinstance(stream, ResNetStream)
    models = need("torchvision.models", "this test")
    reference_pixels = models.ResNet152_Weights.IMAGENET1K_V1.transforms()(
        torch.from_numpy(PHOTO).permute(2, 0, 1)
    )
    pixels = normalise(stream.prepare(PHOTO), MEAN, STD)
    torch.testing.assert_close(pixels, reference_pixels, atol=1e-5, rtol=0)
    clip = a_clip(stream)
    ours = stream.features([stream.inputs(clip)], 3, CPU)[0]
    with torch.device("meta"):
        whole = models.resnet152()
    classifier = {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    whole.load_state_dict(stream.network.state_dict() | classifier, assign=True)
    pooled: list[torch.Tensor] = []
    whole.avgpool.register_forward_hook(lambda *found: pooled.append(found[2]))
    with torch.inference_mode():
        whole.eval()(
            normalise(torch.stack(list(clip.frames["res152"])), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        )
    assert ours.shape == (4, 2048)
    np.testing.assert_allclose(ours, pooled[0].flatten(1).numpy(), rtol=1e-3, atol=1e-4)
    assert np.isfinite(ours.astype(np.float16)).all(), "stores of float16 take them"


@needs_torchvision
def test_r2plus1d_features_are_those_of_torchvision(tmp_path: Path) -> None:
    """Also from a file with the classifier that torchvision's has."""
    video = need("torchvision.models.video", "this test")
    transforms = need("torchvision.transforms.functional", "this test")
    torch.manual_seed(3)
    whole = video.r2plus1d_18().eval()
    torch.save(whole.state_dict(), tmp_path / "r2plus1d.pth")
    stream = make_stream("r2plus1d_18", GRID, str(tmp_path / "r2plus1d.pth"))
    assert isinstance(stream, R2Plus1DStream)
    small = stream.prepare(PHOTO)
    reference = transforms.resize(torch.from_numpy(PHOTO).permute(2, 0, 1), [112, 112], antialias=True)
    assert (small.int() - reference.int()).abs().max() <= 1
    clips = [a_clip(stream, seed) for seed in (1, 2)]
    ours = stream.features([stream.inputs(clip) for clip in clips], 4, CPU)
    pooled: list[torch.Tensor] = []
    whole.avgpool.register_forward_hook(lambda *found: pooled.append(found[2].flatten()))
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (KINETICS_MEAN, KINETICS_STD))
    for features, clip in zip(ours, clips, strict=True):
        assert features.shape == (2, 512)
        for segment in range(2):
            frames = torch.stack(list(clip.frames[stream.name][2 * segment : 2 * segment + 2]), dim=1)
            with torch.inference_mode():
                whole(((frames / 255 - mean) / std)[None])
            np.testing.assert_allclose(features[segment], pooled[-1].numpy(), rtol=1e-3, atol=1e-4)


def test_shrinking_smooths() -> None:
    """A fine checkerboard becomes grey, not one of its colours."""
    board = torch.from_numpy((np.indices((224, 224)).sum(0) % 2 * 255).astype(np.uint8)).expand(3, -1, -1)
    assert (resize(board, (112, 112)).int() - 128).abs().max() <= 3


@needs_torchvision
@pytest.mark.parametrize("size", [(110, 110), (110, 147), (333, 110)])
def test_the_central_square_is_that_of_torchvision(size: tuple[int, int]) -> None:
    """Sides by which 224 divides to a fraction that, times the side again, is a little less than 224."""
    transforms = need("torchvision.transforms.functional", "this test")
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *size), dtype=np.uint8))
    theirs = transforms.center_crop(transforms.resize(image, [224], antialias=True), [224, 224])
    ours = resize_and_crop(image, 224, 224)
    assert ours.shape == theirs.shape
    assert (ours.int() - theirs.int()).abs().max() <= 1


@needs_torchvision
def test_addresses_are_those_of_torchvision() -> None:
    models = need("torchvision.models", "this test")
    assert stream_class("res152").published == models.ResNet152_Weights.IMAGENET1K_V1.url
    assert stream_class("r2plus1d_18").published == models.video.R2Plus1D_18_Weights.KINETICS400_V1.url


def test_weights_are_known_by_what_they_are(tmp_path: Path) -> None:
    """Not by the word that was typed: a folder's content may change, a published address does not."""
    published = [identity("pretrained", stream_class(name).published) for name in (*LLP_STREAMS, "clip")]
    assert len({*published, "pretrained"}) == 5
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "preprocessor_config.json"):
        (folder / name).write_text("first")
    first = identity(str(folder), "")
    (folder / "README.md").write_text("says nothing of the features")
    assert identity(str(folder), "") == first
    for name in ("model.safetensors", "config.json", "preprocessor_config.json"):
        (folder / name).write_text("second")
        assert identity(str(folder), "") != first
        (folder / name).write_text("first")
    assert identity(str(folder), "") == first
    assert identity("openai/clip-vit-base-patch32", "") == "openai/clip-vit-base-patch32"


def test_random_weights_are_always_the_same_and_leave_torch_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = (made_at_random(lambda: nn.Linear(3, 2)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_weights_of_a_file(tmp_path: Path, name: str) -> None:
    written, read = nn.Linear(3, 2), nn.Linear(3, 2)
    save(written, tmp_path / name)
    load_weights(read, "res152", str(tmp_path / name), "http://nowhere.invalid/file.pth")
    assert torch.equal(written.weight, read.weight)
    with pytest.raises(InputError, match="not the weights of the network of res152"):
        load_weights(nn.Linear(4, 2), "res152", str(tmp_path / name), "http://nowhere.invalid/file.pth")


def save(network: nn.Module, path: Path) -> None:
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file  # noqa: PLC0415

        save_file(network.state_dict(), path)
    else:
        torch.save(network.state_dict(), path)


def test_published_weights_are_kept_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from the internet, from a folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    written, read = nn.Linear(3, 2), nn.Linear(3, 2)
    save(written, tmp_path / "small.pth")
    load_weights(read, "vggish", "pretrained", (tmp_path / "small.pth").as_uri())
    assert torch.equal(written.weight, read.weight)
    (tmp_path / "small.pth").rename(tmp_path / "small-0123456789.pth")
    with pytest.raises(InputError, match=r"could not be fetched from .*invalid hash"):
        load_weights(read, "vggish", "pretrained", (tmp_path / "small-0123456789.pth").as_uri())
    with pytest.raises(InputError, match=r"weights of vggish could not be fetched .* --weights vggish=FILE"):
        load_weights(read, "vggish", "pretrained", (tmp_path / "absent.pth").as_uri())


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half of an archive"])
def test_damaged_weights(tmp_path: Path, content: bytes) -> None:
    for name in ("a.pth", "a.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            read_state(tmp_path / name)
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="holds something else"):
        read_state(tmp_path / "a.pth")
    with pytest.raises(InputError, match="no such file"):
        read_state(tmp_path / "b.pth")


def test_words_for_weights() -> None:
    streams = ("vggish", "res152")
    assert parse_weights(["random"], streams) == {"vggish": "random", "res152": "random"}
    assert parse_weights(["res152=a.pth"], streams) == {"vggish": "pretrained", "res152": "a.pth"}
    for words in (["rnadom"], ["clip=a.pth"], ["res152="]):
        with pytest.raises(InputError, match="--weights"):
            parse_weights(words, streams)


def test_a_library_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r'pip install "rlld-gym\[extract\]"'):
        need("no_such_library_at_all", "the stream clip")


@pytest.mark.parametrize("name", ["clip", "clap"])
@pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers")
def test_models_that_also_read_text(name: str) -> None:
    stream = make_stream(name, GRID, "random")
    sound = np.random.default_rng(0).uniform(-1, 1, 96000).astype(np.float32)
    clip: Any = a_clip(stream) if isinstance(stream, FrameStream) else Clip({}, {48000: sound}, ())
    features = stream.features([stream.inputs(clip)] * 2, 3, CPU)
    assert features[0].shape == {"clip": (4, 768), "clap": (2, 512)}[name]
    np.testing.assert_allclose(np.linalg.norm(features[1], axis=1), 1, rtol=1e-5)
    assert np.abs(features[0][0] - features[0][1]).max() > 1e-4, "what differs has different features"


@pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers")
def test_claps_spectra_are_those_of_its_folder(tmp_path: Path) -> None:
    """The published preprocessor begins at 50 Hz, transformers' default at 0; random weights do as published."""
    library = need("transformers", "this test")
    folder = tmp_path / "clap"
    published = library.ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc", padding="repeatpad")
    other = library.ClapFeatureExtractor(frequency_min=200, truncation="rand_trunc", padding="repeatpad")
    small = library.ClapAudioConfig(depths=[1, 1, 1, 1], patch_embeds_hidden_size=16, hidden_size=128)
    sound = np.random.default_rng(0).uniform(-1, 1, (2, 48000)).astype(np.float32)
    library.ClapAudioModelWithProjection(small).save_pretrained(folder)
    with pytest.raises(InputError, match="the weights of clap could not be read from"):
        make_stream("clap", GRID, str(folder))
    other.save_pretrained(folder)
    for weights, reference in (("random", published), (str(folder), other)):
        stream: Any = make_stream("clap", GRID, weights)
        expected = reference(list(sound), sampling_rate=48000, return_tensors="np")["input_features"]
        np.testing.assert_array_equal(stream.prepare(sound), expected)
