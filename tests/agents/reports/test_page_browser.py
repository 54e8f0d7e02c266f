"""The report page in headless Chromium, driven as a reader drives it; skipped where there is no Chromium."""

import dataclasses
import json
import shutil
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rlld_agents.labels.files import read_labels, write_labels
from rlld_agents.reports.page.document import write_page
from tests.agents.reports.pages import CLASSES, made_up_page, made_up_videos

pytest.importorskip("selenium", reason="selenium drives the browser; install the extra dev")
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="no chromium and chromedriver on the path")

VIDEOS = made_up_videos(400)
LEFT = VIDEOS.weak[:, None] & ~VIDEOS.removed
BY_NAME = {name: index for index, name in enumerate(VIDEOS.names)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_page(made_up_page(VIDEOS), folder / "report.html")
    return folder


@pytest.fixture(scope="module")
def chromium(folder: Path) -> Iterator[Chrome]:
    options = ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(argument)
    options.binary_location = CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: Chrome, folder: Path) -> Iterator[Chrome]:
    """The page, freshly opened, with no decisions; it must have logged no error when it is left."""
    address = (folder / "report.html").as_uri()
    chromium.get(address)
    chromium.execute_script("localStorage.clear()")
    chromium.get(address)
    _until(lambda: chromium.execute_script("return document.documentElement.dataset.ready") == "yes")
    yield chromium
    assert chromium.get_log("browser") == []


def _until(holds: Callable[[], object]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.02)
    pytest.fail("the page did not come to it")


def _shown(page: Chrome) -> list[str]:
    """Return the names of the first videos in the list."""
    return [line.text for line in page.find_elements("css selector", "#rows .name")]


def _count(page: Chrome) -> int:
    return int(page.find_element("id", "count").text.split()[0])


def _type(page: Chrome, text: str) -> None:
    field = page.find_element("id", "query")
    field.clear()
    field.send_keys(text)


def _button(page: Chrome, label: str) -> WebElement:
    return page.find_element("css selector", f"#video button[aria-label={json.dumps(label)}]")


def _downloaded(page: Chrome, folder: Path) -> Path:
    file = folder / "edited_labels.csv"
    file.unlink(missing_ok=True)
    page.find_element("id", "download").click()
    _until(file.is_file)
    return file


def test_search_and_filters_find_what_the_data_say(page: Chrome) -> None:
    assert _count(page) == 400
    assert len(_shown(page)) < 60, "only the lines in view are in the page"
    _type(page, "vid-00017")
    assert _shown(page) == ["vid-00017_0_10"]
    _type(page, "é&")
    assert _shown(page) == ["<b>é&</b>_0_10"]
    _type(page, "人の話")
    assert _count(page) == VIDEOS.weak[:, 1].sum()
    _type(page, "REMOVED frying_(food")
    assert _count(page) == VIDEOS.removed[:, :, 3].any(axis=1).sum()
    _type(page, "removed speech")
    assert _count(page) == VIDEOS.removed[:, :, 4].any(axis=1).sum()
    _type(page, "uncertain")
    assert _count(page) == VIDEOS.uncertain.any(axis=(1, 2)).sum()
    _type(page, "")
    Select(page.find_element("id", "class")).select_by_visible_text(CLASSES[0])
    Select(page.find_element("id", "status")).select_by_visible_text("wrongly removed")
    assert VIDEOS.dense is not None
    wrongly = VIDEOS.removed[:, :, 0] & VIDEOS.dense[..., 0].any(axis=1)
    assert _count(page) == wrongly.any(axis=1).sum()
    _type(page, "no such video")
    assert _count(page) == 0
    assert "No video fits" in page.find_element("id", "video").text
    assert page.title == "<i>data</i>: imitation"


def test_a_video_shows_its_tracks_and_is_told_to_screen_readers(page: Chrome) -> None:
    _type(page, "vid-00005")
    assert VIDEOS.dense is not None
    tracks = page.find_elements("css selector", ".track[aria-label]")
    labels = [track.get_attribute("aria-label") or "" for track in tracks]
    for label in np.flatnonzero(VIDEOS.weak[5]):
        segments = np.flatnonzero(VIDEOS.dense[5, :, 1, label]) + 1
        said = next(text for text in labels if text.startswith(f"{CLASSES[label]}, visual"))
        truth = said.partition("truth: ")[2].removeprefix("segments ").removeprefix("no segment")
        found: list[int] = []
        for part in filter(None, truth.split(", ")):
            first, _, last = part.partition("\N{EN DASH}")
            found += range(int(first), int(last or first) + 1)
        assert found == segments.tolist()
    cells = page.find_elements("css selector", "#video tr:first-child .track .cell")
    assert len(cells) == 12
    option = page.find_element("css selector", "[role=option]").get_attribute("aria-label") or ""
    assert option.startswith("vid-00005_0_10: ")


def test_a_label_that_stays_against_its_probability_says_why(page: Chrome) -> None:
    video = int(np.flatnonzero(VIDEOS.given_back.any(axis=(1, 2)))[0])
    _type(page, VIDEOS.names[video])
    reasons = [cell.text for cell in page.find_elements("css selector", "#video .outcome")]
    assert len(reasons) == 2 * VIDEOS.weak[video].sum()
    assert all("kept: else no label would be left" in text for text in reasons)
    _type(page, VIDEOS.names[int(np.flatnonzero(VIDEOS.removed.any(axis=(1, 2)))[0])])
    assert "else no label" not in page.find_element("id", "video").text


def test_labels_that_go_by_rank_stand_beside_the_boundary_of_their_class(
    chromium: Chrome, folder: Path
) -> None:
    assert VIDEOS.boundary is not None
    boundary = VIDEOS.boundary.copy()
    boundary[1] = [0.25, 1.5, -0.5, 0.75, 1.0]
    by_rank = dataclasses.replace(VIDEOS, boundary=boundary, scores_are_probabilities=False)
    write_page(made_up_page(by_rank), folder / "ranked.html")
    chromium.get((folder / "ranked.html").as_uri())
    _until(lambda: chromium.find_elements("id", "video-name"))
    for label, text in enumerate(
        ["0.25", "no label of the class went", "all labels of the class went", "0.75"]
    ):
        number = int(np.flatnonzero((VIDEOS.weak.sum(axis=1) == 1) & VIDEOS.weak[:, label])[0])
        _type(chromium, VIDEOS.names[number])
        assert text in chromium.find_elements("css selector", "#video .outcome")[1].text
    assert chromium.get_log("browser") == []


def test_untouched_labels_download_as_python_writes_them(page: Chrome, folder: Path) -> None:
    write_labels(folder / "expected.csv", VIDEOS.names, CLASSES, LEFT[:, 0], LEFT[:, 1])
    assert _downloaded(page, folder).read_bytes() == (folder / "expected.csv").read_bytes()


def test_decisions_change_the_file_and_survive_a_reload(page: Chrome, folder: Path) -> None:
    video = int(np.flatnonzero(VIDEOS.removed[:, 1, 4] & LEFT[:, 0, 4])[3])
    _type(page, VIDEOS.names[video])
    _button(page, "Veto: Speech, visual").click()
    _button(page, "Remove: Speech, audio").click()
    assert "1 vetoed, 1 removed by hand" in page.find_element("id", "decided").text
    assert _button(page, "Veto: Speech, visual").get_attribute("aria-pressed") == "true"
    page.refresh()
    _until(lambda: page.execute_script("return document.documentElement.dataset.ready") == "yes")
    path = _downloaded(page, folder)
    audio, visual = read_labels(path, CLASSES, tuple(VIDEOS.names), VIDEOS.weak)
    expected = LEFT.copy()
    expected[video, :, 4] = [False, True]
    np.testing.assert_array_equal(np.stack((audio, visual), axis=1), expected)
    Select(page.find_element("id", "status")).select_by_visible_text("decided by you")
    assert [name.rstrip(" ✓") for name in _shown(page)] == [VIDEOS.names[video]]
    page.find_element("id", "discard").click()
    page.switch_to.alert.accept()
    assert "No decision" in page.find_element("id", "decided").text


def test_the_keyboard_is_enough(page: Chrome, folder: Path) -> None:
    body = page.find_element("tag name", "body")
    body.send_keys("/")
    page.switch_to.active_element.send_keys("removed")
    page.find_element("id", "list").send_keys(Keys.DOWN, Keys.DOWN)
    name = page.find_element("id", "video-name").text
    active = page.find_element("id", "list").get_attribute("aria-activedescendant") or ""
    assert name in page.find_element("id", active).text
    page.find_element("id", "list").send_keys("v")
    expected = LEFT.copy()
    expected[BY_NAME[name]] = VIDEOS.weak[BY_NAME[name]]
    labels = read_labels(_downloaded(page, folder), CLASSES, tuple(VIDEOS.names), VIDEOS.weak)
    np.testing.assert_array_equal(np.stack(labels, axis=1), expected)
    page.find_element("id", "list").send_keys("u", Keys.END)
    assert "No decision" in page.find_element("id", "decided").text
    last = np.flatnonzero(VIDEOS.removed.any(axis=(1, 2)))[-1]
    assert page.find_element("id", "video-name").text == VIDEOS.names[last]


def test_a_clip_plays_beside_the_page_and_marks_its_segment(chromium: Chrome, folder: Path) -> None:
    """The clip is sound alone: browsers tell files by their content, not by their names."""
    with wave.open(str(folder / "clip #1.webm"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes([128]) * 8000 * 12)
    clips = ["clip%20%231.webm", *[""] * (len(VIDEOS.names) - 1)]
    write_page(made_up_page(dataclasses.replace(VIDEOS, clips=clips)), folder / "clips.html")
    chromium.get((folder / "clips.html").as_uri())
    player = "document.querySelector('#video video')"
    _until(lambda: chromium.execute_script(f"return {player} && {player}.duration") == 12)
    chromium.execute_script("document.getElementById('video').scrollIntoView()")
    chromium.find_elements("css selector", "#video .cell")[7].click()
    _until(lambda: chromium.find_elements("css selector", ".cell.now"))
    marked = {cell.get_dom_attribute("data-segment") for cell in chromium.find_elements("class name", "now")}
    assert marked == {"7"}
    assert chromium.get_log("browser") == []


def test_a_run_without_policy_parser_and_truth_has_a_page(chromium: Chrome, folder: Path) -> None:
    videos = made_up_videos(30, known=False)
    write_page(made_up_page(videos), folder / "unknown.html")
    chromium.get((folder / "unknown.html").as_uri())
    _until(lambda: chromium.find_elements("id", "video-name"))
    assert "nothing is known of segments" in chromium.find_element("id", "video").text
    offered = {option.text for option in Select(chromium.find_element("id", "status")).options}
    assert "with a removal" in offered
    assert not {"uncertain", "parser disagrees", "wrongly removed", "noise kept"} & offered
    _type(chromium, "removed")
    assert _count(chromium) == videos.removed.any(axis=(1, 2)).sum()
    assert chromium.get_log("browser") == []


def test_a_class_leads_to_its_videos_and_tables_sort(page: Chrome) -> None:
    table = page.find_element("css selector", "#classes table")
    table.find_element("xpath", ".//button[text()='removed']").click()
    shares = [float(cell.text.split()[0]) for cell in table.find_elements("css selector", "td:nth-child(3)")]
    assert shares == sorted(shares, reverse=True)
    page.find_element("css selector", "button[data-class='1']").click()
    assert _count(page) == VIDEOS.weak[:, 1].sum()


def test_it_is_dark_where_the_reader_wants_it_dark(page: Chrome) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colour = page.find_element("tag name", "body").value_of_css_property("background-color")
        brightness[scheme] = int(colour.split("(")[1].split(",")[0])
    assert brightness["dark"] < 64
    assert brightness["light"] > 192
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
