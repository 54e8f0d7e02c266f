"""Arguments of the label-denoising environments, beyond those of the process, and what follows from them."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from rlld_gym.data.store.header import StoreHeader
from rlld_gym.denoising.config import ProcessConfig, ProcessOptions
from rlld_gym.denoising.evidence import EvidenceSource
from rlld_gym.devices import checked_device
from rlld_gym.envs.observations import ObservationLayout, ObservationMode
from rlld_gym.errors import InputError
from rlld_gym.options import option, or_none, require_choice, require_seed, require_width
from rlld_gym.parsing.fitting import for_segments
from rlld_gym.parsing.networks import find_network, network_names
from rlld_gym.parsing.recipes import default_recipe, get_recipe


def _require_recipe_or_none(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise InputError(f"{name} is {value!r}; expected a name, the path of a JSON file or None")


def _require_network_or_none(name: str, value: Any) -> None:
    """Raise InputError where an option names no task network, or one that cannot be imported."""
    if value is None:
        return
    if not isinstance(value, str) or ":" not in value:
        require_choice(name, value, (*network_names(), "module:Class", "None"))
    find_network(value)


@dataclass(frozen=True)
class TaskOptions:
    """What is parsed, and by which network."""

    data: str = option(
        "twin-small",
        '`"twin-tiny"`, `"twin-small"`, `"twin-full"` (synthetic twins of LLP) or the path of a feature store',
    )
    data_seed: int = option(0, "seed of a twin's generation; ignored for a file", require_seed)
    recipe: str | None = option(
        None,
        "training recipe of the task network, by name or as the path of a [JSON file](extending.md#a-recipe); "
        "`None`: that of `task_network`, or else the data set's recommendation",
        _require_recipe_or_none,
    )
    hidden_size: int | None = option(
        None, "width of the task network; `None`: the data set's recommendation", or_none(require_width)
    )
    task_network: str | None = option(
        None,
        "task network: a registered name, trained by its own recipe unless `recipe` names one, which then gets its "
        'objective; or `"module:Class"` ([your own](extending.md#a-parser)); `None`: the recipe\'s',
        _require_network_or_none,
    )


@dataclass(frozen=True)
class EnvironmentOptions(ProcessOptions):
    """Options of the environment rlld/LabelDenoising-v0 that shape its episodes."""

    initialized_labels: bool = option(True, "whether labels are part of the observation")


@dataclass(frozen=True)
class EnvironmentArguments(EnvironmentOptions, TaskOptions):
    """All arguments of the environment rlld/LabelDenoising-v0.

    Raises:
        InputError: a value of the wrong type or out of range.
    """

    observation: ObservationMode = option("features", '`"features"` or `"indices"`, see above')
    time_feature: bool = option(False, "whether `progress` is part of the observation")
    evidence: EvidenceSource | None = option(
        None,
        'whether `evidence` is part of the observation: that of the parser that episodes start from (`"start"`) or '
        'of the task network as it is (`"current"`)',
    )
    device: str = option(
        "auto",
        'where the task network is trained: `"cpu"`, `"cuda"`, `"cuda:1"`, ...; `"auto"`: a GPU if there is one',
    )
    render_mode: Literal["ansi", "rgb_array"] | None = option(
        None,
        '`"ansi"` (a table) or `"rgb_array"` (a picture of the batch\'s labels, of which Gymnasium\'s '
        "`RecordVideo` makes a film with moviepy, the extra `video`)",
    )

    def __post_init__(self) -> None:
        """Check every argument."""
        super().__post_init__()
        object.__setattr__(self, "device", checked_device(self.device))
        if self.evidence == "start" and self.task_start == "fresh":
            raise InputError(
                "evidence is 'start', but task_start is 'fresh': a new network knows nothing; use task_start "
                "'pretrained' or a file, or evidence 'current'"
            )

    def process_config(self, header: StoreHeader) -> ProcessConfig:
        """Return the options of the process on a data set, which recommends recipe and width.

        Raises:
            InputError: there is no such recipe, or the data set is too small.
        """
        recommended = header.recommended
        recipe = get_recipe(self.recipe or default_recipe(self.task_network, recommended.recipe))
        recipe = recipe if self.task_network is None else recipe.with_network(self.task_network)
        config = ProcessConfig(
            **{field.name: getattr(self, field.name) for field in fields(ProcessOptions)},
            recipe=for_segments(recipe, header.num_segments),
            hidden_size=recommended.hidden_size if self.hidden_size is None else self.hidden_size,
        )
        config.subset_size(header.counts["train"])
        return config

    def layout(self) -> ObservationLayout:
        """Return what observations consist of."""
        return ObservationLayout(
            self.batch_size, self.observation, self.initialized_labels, self.time_feature, self.evidence
        )
