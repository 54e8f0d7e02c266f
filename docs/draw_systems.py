"""Draw the architectures of the published systems: python docs/draw_systems.py writes docs/images/systems/NAME.svg.

A system is a list of stages from left to right. A stage has boxes in up to three lanes: audio, both, visual. A box
gets an arrow from the box before it in its lane; one in the lane "both" reads from all, and all read from it. A
stage that ends in "x" also reads from the other modality's lane. What stands in parentheses serves training only.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

Stage = tuple[str, str, str] | tuple[str, str, str, str]
"""Audio, both, visual ("": no box), and "x" where modalities read from each other."""

STEM: Final[tuple[Stage, ...]] = (
    ("audio\n128", "", "2D 2048\n3D 512"),
    ("linear", "", "linear, mean of 8\nframes, fuse"),
)
HEAD: Final[Stage] = ("", "attention over time\nand modalities", "")
TEACHERS: Final[Stage] = ("(labels of segments\nfrom a teacher)", "", "(labels of segments\nfrom a teacher)")

SYSTEMS: Final[Mapping[str, Sequence[Stage]]] = {
    "valor": (
        *STEM,
        ("self and cross\nattention, 8 heads\nfirst", "", "... reads updated\naudio", "x"),
        HEAD,
        TEACHERS,
    ),
    "cpsp": (
        *STEM,
        ("LSTM, both ways", "", "LSTM, both ways"),
        ("+ segments alike\nabove threshold", "", "+ segments alike\nabove threshold", "x"),
        HEAD,
        ("", "(contrast within and\nbetween videos)", ""),
    ),
    "mgn": (
        *STEM,
        ("3 blocks, 25 class\ntokens group segments", "", "3 blocks, 25 class\ntokens group segments"),
        ("", "6 blocks, class tokens\nof both modalities", ""),
        ("", "probability\na token", ""),
    ),
    "mm_pyramid": (
        *STEM,
        ("4 levels: attention\nnear, wider, all;\ndilated convolution", "", "4 levels, likewise", "x"),
        ("fusion over levels", "", "fusion over levels"),
        HEAD,
    ),
    "cvcms": (
        *STEM,
        ("HAN layer", "", "HAN layer", "x"),
        ("25 class features,\nattention among classes", "", "25 class features,\nattention among classes"),
        HEAD,
        ("", "(contrast with streams\nof mixed videos)", ""),
    ),
    "dhhn": (
        *STEM,
        ("scales 1, 2, 5 s", "", "scales 1, 2, 5 s"),
        ("HAN layer a scale,\nsum", "", "HAN layer a scale,\nsum", "x"),
        HEAD,
        ("(audio guide\nteaches)", "", "(visual guide\nteaches)"),
    ),
    "cmpae": (
        ("audio\n128", "", "2D 2048\n3D 512"),
        ("linear, ELU", "", "linear, ELU"),
        (
            "HAN layer with (.8)\nand without (.2) cross",
            "",
            "HAN layer with (.8)\nand without (.2) cross",
            "x",
        ),
        ("evidence for presence\nand absence", "", "evidence for presence\nand absence"),
        HEAD,
        ("", "(mutual learning by\ncertainty)", ""),
    ),
    "lsld": (
        ("CLAP 10 x 512", "", "CLIP 80 x 512"),
        ("linear", "", "linear, mean of 8"),
        ("4 HAN layers", "", "4 HAN layers", "x"),
        HEAD,
        ("(hard labels of\nsegments, phrases)", "", "(soft labels of\nsegments, phrases)"),
    ),
    "mm_cse": (
        ("CLAP 64 x 768", "", "CLIP 10 x 768\n3D 512"),
        ("VALOR's stem", "", "VALOR's stem"),
        ("25 classes and\nbackground a segment", "", "25 classes and\nbackground a segment"),
        ("4 layers: among classes,\nthen over time", "", "4 layers, likewise", "x"),
        ("", "a head a class", ""),
        ("(rebuild the sequence)", "(co-occurrence)", "(rebuild the sequence)"),
    ),
    "ave": (
        ("audio\n128", "", "2D 2048\n3D 512"),
        ("LSTM, both ways", "", "LSTM, both ways"),
        ("classifier", "joint classifier", "classifier"),
        ("largest over time", "largest over time", "largest over time"),
    ),
    "avsdn": (
        ("audio\n128", "", "2D 2048\n3D 512"),
        ("encoder LSTM", "", "encoder LSTM"),
        ("", "final states fused", ""),
        ("decoder LSTM", "", "decoder LSTM"),
        ("event x category", "joint", "event x category"),
        ("", "largest over time", ""),
    ),
}

LANES: Final = (70, 150, 230)
COLOURS: Final = ("#dbe9f6", "#ece6f4", "#fdebd8")
WIDTH, HEIGHT, GAP = 148, 56, 34


def picture(stages: Sequence[Stage]) -> str:
    """Return a system as SVG."""
    places = [20 + number * (WIDTH + GAP) for number in range(len(stages))]
    parts: list[str] = []
    for number, stage in enumerate(stages):
        boxes = [(lane, text) for lane, text in enumerate(stage[:3]) if text]
        if number:
            before = [lane for lane, text in enumerate(stages[number - 1][:3]) if text]
            ends = [lane for lane, _ in boxes]
            parts += [
                arrow(places[number - 1] + WIDTH, LANES[one], places[number], LANES[other])
                for one in before
                for other in ends
                if one == other or 1 in (one, other) or "x" in stage[3:]
            ]
        parts += [box(places[number], lane, text) for lane, text in boxes]
    width = places[-1] + WIDTH + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 300" width="{width}" '
        'font-family="sans-serif" font-size="12">\n'
        '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>\n'
        f'<rect width="{width}" height="300" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def arrow(left: int, top: int, right: int, bottom: int) -> str:
    """Return an arrow between two boxes."""
    return f'<line x1="{left}" y1="{top}" x2="{right - 1}" y2="{bottom}" stroke="#555" marker-end="url(#a)"/>'


def box(left: int, lane: int, text: str) -> str:
    """Return a box with its lines of text; dashed where it serves training only."""
    dashes = ' stroke-dasharray="4 3"' if text.startswith("(") else ""
    lines = text.strip("()").split("\n") if dashes else text.split("\n")
    first = LANES[lane] + 4 - 8 * (len(lines) - 1)
    middle = left + WIDTH // 2
    words = "".join(
        f'<text x="{middle}" y="{first + 16 * row}" text-anchor="middle">{html.escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<rect x="{left}" y="{LANES[lane] - HEIGHT // 2}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
        f'fill="{COLOURS[lane]}" stroke="#777"{dashes}/>{words}'
    )


def main() -> None:
    """Write all pictures."""
    folder = Path(__file__).parent / "images" / "systems"
    for name, stages in SYSTEMS.items():
        (folder / f"{name}.svg").write_text(picture(stages), encoding="utf-8")


if __name__ == "__main__":
    main()
