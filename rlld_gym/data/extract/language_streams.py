"""Streams of models that also read text, of Hugging Face's transformers: CLIP for frames, CLAP for sound."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rlld_gym.data.extract.libraries import need
from rlld_gym.data.extract.pictures import normalise, resize_and_crop
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.data.extract.streams import FrameStream, SoundStream, Stream, picture
from rlld_gym.data.extract.weights import PRETRAINED, RANDOM, made_at_random
from rlld_gym.errors import InputError
from rlld_gym.os_errors import one_line

CLIP_MODEL: Final = "openai/clip-vit-large-patch14"
CLAP_MODEL: Final = "laion/clap-htsat-unfused"
CLAP_LOWEST_HZ: Final = 50
"""Of the mel bands, in the published model's preprocessor_config.json; transformers' default is 0."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_VIT_L_14: Final = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 768,
}


class ClipStream(FrameStream):
    """(F T, 768): CLIP's embedding of each frame, ViT-L/14 unless the weights say otherwise, of length 1."""

    name = "clip"
    published = CLIP_MODEL

    def __init__(self, grid: TimeGrid, weights: str) -> None:
        super().__init__(grid, weights)
        library = need("transformers", "the stream clip")
        model = library.CLIPVisionModelWithProjection
        self.network = (
            made_at_random(lambda: model(library.CLIPVisionConfig(**_VIT_L_14)))
            if weights == RANDOM
            else _loaded(model.from_pretrained, self, weights, use_safetensors=True)
        )
        self.side = _side(self.network)

    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """Return (3, 224, 224)."""
        return resize_and_crop(picture(image), self.side, self.side, "bicubic")

    def embed(self, inputs: Tensor) -> Tensor:
        """Return (n, 768) embeddings of frames."""
        return _unit(self.network(normalise(inputs, CLIP_MEAN, CLIP_STD)).image_embeds)


class ClapStream(SoundStream):
    """(T, 512): CLAP's embedding of each segment, of length 1; shorter than 10 s, it is repeated, as CLAP asks."""

    name = "clap"
    published = CLAP_MODEL
    rate = 48000

    def __init__(self, grid: TimeGrid, weights: str) -> None:
        super().__init__(grid, weights)
        library = need("transformers", "the stream clap")
        spectrum, model = library.ClapFeatureExtractor, library.ClapAudioModelWithProjection
        shape = {"truncation": "rand_trunc", "padding": "repeatpad"}
        self._spectrum = (
            spectrum(frequency_min=CLAP_LOWEST_HZ, **shape)
            if weights == RANDOM
            else _loaded(spectrum.from_pretrained, self, weights, **shape)
        )
        self.network = (
            made_at_random(lambda: model(library.ClapAudioConfig()))
            if weights == RANDOM
            else _loaded(model.from_pretrained, self, weights, use_safetensors=True)
        )

    def prepare(self, segments: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (T, 1, frames, 64) log-mel spectra; of segments beyond 10 s, the first 10 s."""
        longest = int(self._spectrum.nb_max_samples)
        spectra = self._spectrum(list(segments[:, :longest]), sampling_rate=self.rate, return_tensors="np")[
            "input_features"
        ]
        return np.ascontiguousarray(spectra, np.float32)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return (n, 512) embeddings of segments."""
        return _unit(self.network(input_features=inputs).audio_embeds)


def _loaded(load: Callable[..., Any], stream: Stream, weights: str, **options: Any) -> Any:
    """Return what is loaded by a name on the Hugging Face hub, or from a folder that its library wrote."""
    name = stream.published if weights == PRETRAINED else weights
    try:
        return load(name, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the weights of {stream.name} could not be read from {name} ({one_line(error)}); fetch the model's "
            f"folder on a machine with internet and name it: --weights {stream.name}=FOLDER; or try without: "
            "--weights random"
        ) from error


def _side(network: Any) -> int:
    return int(network.config.image_size)


def _unit(embeddings: Tensor) -> Tensor:
    return functional.normalize(embeddings, dim=-1)
