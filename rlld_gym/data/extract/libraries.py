"""The optional libraries of ``pip install 'rlld-gym[extract]'``, imported when they are needed."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Final

import torch

from rlld_gym.errors import InputError

_OPERATORS: Final = ("nms", "qnms")
_SCHEMA: Final = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []


def need(name: str, what: str) -> ModuleType:
    """Return an optional module.

    Args:
        name: of the module, such as "torchvision.models".
        what: needs it, for the message.

    Raises:
        InputError: it is not installed.
    """
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        extra = "ray" if package == "ray" else "extract"
        raise InputError(f'{what} needs {package}; install it: pip install "rlld-gym[{extra}]"')
    if package in ("torchvision", "transformers"):  # which imports it where it is installed
        _make_torchvision_importable()
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"{what} needs {package}, which is installed but cannot be imported ({error}); its version must belong "
            "to that of torch: pip install -c constraints.txt 'rlld-gym[extract]'"
        ) from error


def _make_torchvision_importable() -> None:
    """Let torchvision's wheel for CUDA, which PyPI has, be imported beside torch for the CPU.

    Its operators for boxes do not load there, and their absence is an error when it is imported. Networks do not
    use them: here they are declared, and stay without an implementation. Where they load, nothing is done.
    """
    spec = importlib.util.find_spec("torchvision")
    if _declared or spec is None or spec.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return
    for library in Path(spec.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            continue
        return
    fragment = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in _OPERATORS:
        fragment.define(operator + _SCHEMA)  # type: ignore[no-untyped-call]
    _declared.append(fragment)  # what was declared goes with the object
