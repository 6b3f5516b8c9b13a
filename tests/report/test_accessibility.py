"""The report in a real browser: no barrier that axe finds, at desk and phone width, in both languages."""

import importlib.util
import json
import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from superfine.report.page import render_page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(importlib.util.find_spec("axe_core_python") is None, reason="axe-core-python is not installed"),
]
RUN = """
<script>axe.run().then(found => {
  const out = document.createElement("pre"); out.id = "axe";
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  out.textContent = JSON.stringify({wide, passes: found.passes.length, violations: found.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html])});
  document.body.append(out);
  if (parent !== window) parent.postMessage(out.textContent, "*");
});</script>
"""


NARROWEST = 500
"""Chromium's windows are no narrower; a phone's width takes a frame."""


def examine(page, tmp_path, width, *options):
    """What axe finds, and whether the page is wider than the window."""
    script = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    path = tmp_path / "page.html"
    path.write_text(page.replace("</body>", f"<script>{script}</script>{RUN}</body>"), encoding="utf-8")
    shown = path
    if width < NARROWEST:
        shown = tmp_path / "phone.html"
        answer = "addEventListener('message', e => { const out = document.createElement('pre'); out.id = 'axe'; out.textContent = e.data; document.body.append(out) })"
        shown.write_text(
            f'<body><script>{answer}</script><iframe src="page.html" style="border:0;width:{width}px;height:900px"></iframe>'
        )
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={max(width, NARROWEST)},900",
        "--virtual-time-budget=20000", *options, "--dump-dom", shown.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'<pre id="axe">(.*?)</pre>', dom, re.DOTALL)
    assert found, "axe did not end"
    import html

    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("width", "options"), [(1100, []), (500, []), (390, []), (1100, ["--blink-settings=preferredColorScheme=0"])]
)
def test_axe_finds_no_barrier_and_nothing_overflows(trained, tmp_path, language, width, options):
    error = {"row": 2, "text": "a long text " * 30, "label": "good", "prediction": "bad", "confidence": 0.93}
    found = examine(render_page(trained.metrics, [error], language), tmp_path, width, *options)
    assert found["violations"] == []
    assert found["passes"] > 15
    assert not found["wide"]
