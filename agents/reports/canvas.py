"""How figures are drawn: on a canvas and in a style of their own, with any name, never at the cost of a run.

matplotlib's object interface is used throughout: no display is needed, pyplot is not imported, and the caller's
backend, figures and settings stay what they are.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path
from rlld_gym.os_errors import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK: Final = "#333333"
"""Colour of text."""
NAME_LENGTH: Final = 40
"""Letters of a name that figures show."""
TITLE_LENGTH: Final = 110
"""Letters of a title that figures show."""

FALLBACK_FONTS: Final[tuple[str, ...]] = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Source Han Sans", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic", "Droid Sans Fallback",
    "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei", "SimHei", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
"""For letters that matplotlib's own font lacks; those that are installed are used."""


@contextmanager
def own_style() -> Iterator[None]:
    """Draw with matplotlib's defaults, whatever the user's settings say; they are there again afterwards.

    Raises:
        InputError: matplotlib is not installed, or cannot be imported.
    """
    matplotlib = _matplotlib()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False  # a name may hold dollar signs
        fonts = [*matplotlib.rcParams["font.sans-serif"][:1], *_installed_fallbacks()]
        matplotlib.rcParams.update({"font.family": fonts})
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of a size in inches on a canvas that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 (optional and slow to import)
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_title(figure: "Figure", title: str) -> None:
    """Write what a figure shows above it."""
    figure.suptitle(shown(title, TITLE_LENGTH), color=INK, fontsize=12, fontweight="bold")


def save_figure(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, atomically; its edges are where the drawing ends, so that no text is cut off."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight", pad_inches=0.1)


def shown(name: str, length: int = NAME_LENGTH) -> str:
    """Return a name as figures show it: on one line, and not so long that nothing else has room."""
    text = " ".join(name.split())
    if text.startswith("_"):  # matplotlib hides such labels from legends
        text = f"\N{ZERO WIDTH SPACE}{text}"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def draw_or_warn(what: str, draw: Callable[[], Any]) -> None:
    """Draw something; where that fails, whatever the reason, say so in a warning: results come before pictures.

    Args:
        what: is drawn, such as "figures/scores.png".
        draw: draws it.
    """
    try:
        draw()
    except Exception as error:  # whatever fonts, settings, disks and versions of matplotlib bring
        reason = one_line(error, 300)
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        warnings.warn(f"{what} was not drawn ({kind}{reason}); all results are written", stacklevel=2)


def _matplotlib() -> Any:
    """Return matplotlib, also where MPLBACKEND names a backend that is not there, as notebooks do."""
    try:
        import matplotlib  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError("figures need matplotlib; install it: pip install 'rlld-gym[plot]'") from error
    except (ValueError, OSError):
        return _imported_without_settings()
    return matplotlib


def _imported_without_settings() -> Any:
    """Import matplotlib as if the user had set nothing; the environment is left as it was."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]
    hidden = {name: os.environ.get(name) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ.pop("MPLBACKEND", None)
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        import matplotlib  # noqa: PLC0415
    finally:
        for name, value in hidden.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    return matplotlib


def _installed_fallbacks() -> list[str]:
    from matplotlib import font_manager  # noqa: PLC0415

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in FALLBACK_FONTS if name in installed][:2]
