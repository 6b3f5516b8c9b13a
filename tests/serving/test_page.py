"""The page works by keyboard, in both languages, wide and narrow, without a barrier, and asks no other address for anything."""

import csv
import importlib.util
import shutil
import time
from importlib.resources import files

import pytest

pytest.importorskip("fastapi", reason="the packages of the extra `serve` are not installed")
pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys as Key
from selenium.webdriver.support.ui import WebDriverWait

import superfine
from superfine.serving.keys import Keys
from superfine.serving.settings import Settings
from tests.conftest import make_rows
from tests.serving.test_app import Running

DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on this machine"),
    pytest.mark.skipif(importlib.util.find_spec("axe_core_python") is None, reason="axe-core-python is not installed"),
]
PHONE = {"deviceMetrics": {"width": 390, "height": 800, "pixelRatio": 2.0}}


@pytest.fixture
def browse(tmp_path):
    """Opens a browser of a width, whose user reads a language."""
    opened = []

    def make(width, language):
        options = webdriver.ChromeOptions()
        for argument in (
            "--headless=new",
            "--no-sandbox",
            f"--window-size={width},1200",
            f"--user-data-dir={tmp_path / 'profile'}",
        ):
            options.add_argument(argument)
        options.add_experimental_option(
            "prefs", {"intl.accept_languages": language, "download.default_directory": str(tmp_path / "downloads")}
        )
        if width < 500:
            options.add_experimental_option("mobileEmulation", PHONE)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        opened.append(webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)))
        return opened[-1]

    yield make
    for browser in opened:
        browser.quit()


@pytest.fixture(scope="module")
def server(trained):
    running = Running(trained.folder)
    yield running
    running.close()


def until(browser, condition):
    return WebDriverWait(browser, 20).until(lambda _: condition())


def shown(browser, selector):
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]


def barriers(browser):
    browser.execute_script((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert len(found["passes"]) > 20
    return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]


@pytest.mark.parametrize(
    ("width", "language"), [(1100, "en"), (390, "zh-CN"), pytest.param(1100, "zh-CN", marks=pytest.mark.slow), pytest.param(390, "en", marks=pytest.mark.slow)]
)  # fmt: skip
def test_a_text_is_tried_by_keyboard_alone(server, trained, browse, width, language):
    browser = browse(width, language)
    browser.get(server.url)
    until(browser, lambda: shown(browser, "h1") == [trained.folder.name])
    assert shown(browser, "#try-title") == ["试一试" if language == "zh-CN" else "Try it"]
    area = browser.find_element(By.ID, "field-text")
    for _ in range(10):
        if browser.switch_to.active_element == area:
            break
        browser.switch_to.active_element.send_keys(Key.TAB)
    area.send_keys("lovely kettle <b>no</b>")
    area.send_keys(Key.CONTROL, Key.ENTER)
    offline = superfine.load(trained.folder).predict(["lovely kettle <b>no</b>"])
    until(browser, lambda: shown(browser, ".said") == offline.label)
    shares = sorted(float(text.removesuffix(" %")) for text in shown(browser, ".share"))
    assert shares == pytest.approx(sorted(100 * offline.probabilities[0]), abs=0.051)
    assert "lovely kettle" in shown(browser, "#calls pre")[0]
    assert barriers(browser) == []
    assert not browser.execute_script("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert asked
    assert all(name.startswith((server.url, "data:")) for name in asked)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    browser.find_element(By.ID, "language").send_keys(Key.ENTER)
    until(browser, lambda: shown(browser, "#try-title") == ["Try it" if language == "zh-CN" else "试一试"])
    assert browser.find_element(By.ID, "field-text").get_attribute("value") == "lovely kettle <b>no</b>", "what was typed stays"


def test_a_table_is_predicted_and_comes_back_with_the_answers_beside_it(server, trained, browse, tmp_path):
    rows = [(f"{i}", f'{text}, "{label}"\nsecond line') for i, (text, label) in enumerate(make_rows(150))]
    with open(tmp_path / "some.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("id", "text"), *rows])
    browser = browse(1100, "en")
    browser.get(server.url)
    until(browser, lambda: shown(browser, "h1") == [trained.folder.name])
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "some.csv"))
    until(browser, lambda: shown(browser, "#columns p") == ["150 rows"])
    assert browser.find_element(By.ID, "column-text").get_attribute("value") == "1", "the column that is called so"
    assert barriers(browser) == []
    browser.find_element(By.ID, "start").send_keys(Key.ENTER)
    until(browser, lambda: shown(browser, "#progress-words") == ["150 rows are predicted"])
    browser.find_element(By.ID, "download").send_keys(Key.ENTER)
    path = tmp_path / "downloads" / "some.predictions.csv"
    until(browser, path.exists)
    time.sleep(0.2)
    with open(path, encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["id"], row["text"]) for row in found] == rows
    assert [row["prediction"] for row in found] == superfine.load(trained.folder).predict([text for _, text in rows]).label


def test_a_server_with_keys_asks_for_one(trained, browse, tmp_path):
    (tmp_path / "keys.txt").write_text("0123456789abcdef\n")
    running = Running(trained.folder, settings=Settings(keys=Keys(tmp_path / "keys.txt")))
    try:
        browser = browse(1100, "en")
        browser.get(running.url)
        until(browser, lambda: shown(browser, "h1") == ["A key is needed"])
        browser.find_element(By.ID, "key").send_keys("wrong", Key.ENTER)
        until(browser, lambda: shown(browser, "#problem") == ["The server does not know this key."])
        browser.find_element(By.ID, "key").clear()
        browser.find_element(By.ID, "key").send_keys("0123456789abcdef", Key.ENTER)
        until(browser, lambda: shown(browser, "h1") == [trained.folder.name])
        browser.find_element(By.ID, "field-text").send_keys("lovely", Key.CONTROL, Key.ENTER)
        until(browser, lambda: shown(browser, ".said"))
        assert "KEY" in shown(browser, "#calls pre")[0]
        assert "0123456789abcdef" not in browser.page_source
    finally:
        running.close()


def choose(browser, path, content):
    """Give the page a file, and wait for what it says."""
    path.write_bytes(content)
    browser.find_element(By.ID, "file").send_keys(str(path))


def test_files_that_are_read_otherwise_than_meant_are_refused_and_short_rows_keep_their_columns(
    server, trained, browse, tmp_path
):
    browser = browse(1100, "en")
    browser.get(server.url)
    until(browser, lambda: shown(browser, "h1") == [trained.folder.name])
    choose(browser, tmp_path / "gbk.csv", "text\n质量很好\n".encode("gbk"))
    until(browser, lambda: "not in UTF-8" in "".join(shown(browser, "#problem")))
    choose(browser, tmp_path / "$&.csv", b"text\n")
    until(browser, lambda: shown(browser, "#problem") == ["$&.csv has no rows below a row of names."])
    choose(browser, tmp_path / "long.csv", b"text\nGreat, really great\n")
    until(browser, lambda: "Row 2 has 2 cells" in "".join(shown(browser, "#problem")))
    choose(browser, tmp_path / "short.csv", b'text,stars\nlovely\n"",2\n"awful, ""really""",3\n')
    until(browser, lambda: shown(browser, "#columns p") == ["3 rows"])
    assert shown(browser, "#problem") == []
    browser.find_element(By.ID, "start").send_keys(Key.ENTER)
    until(browser, lambda: shown(browser, "#progress-words") == ["3 rows are predicted"])
    browser.find_element(By.ID, "download").send_keys(Key.ENTER)
    path = tmp_path / "downloads" / "short.predictions.csv"
    until(browser, path.exists)
    time.sleep(0.2)
    with open(path, encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["text"], row["stars"]) for row in found] == [("lovely", ""), ("", "2"), ('awful, "really"', "3")]
    assert all(row["prediction"] in ("good", "bad") for row in found)


def test_a_server_that_takes_few_texts_together_predicts_a_table_all_the_same(trained, browse, tmp_path):
    running = Running(trained.folder, settings=Settings(most_texts=5))
    try:
        browser = browse(1100, "en")
        browser.get(running.url)
        until(browser, lambda: shown(browser, "h1") == [trained.folder.name])
        choose(browser, tmp_path / "some.csv", b"text\n" + b"lovely\n" * 23)
        until(browser, lambda: shown(browser, "#columns p") == ["23 rows"])
        browser.find_element(By.ID, "start").send_keys(Key.ENTER)
        until(browser, lambda: shown(browser, "#progress-words") == ["23 rows are predicted"])
    finally:
        running.close()
