"""README's picture: the page of the run that `make optimize` does, as far as a screen shows it.

python -m docs.build_fold docs/images
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser import opened_browser, opened_page, served_pages

VIEW, SCREEN = "wide-light", {"width": 1280, "height": 800}


def main() -> None:
    """Run, serve, look, keep."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        home, work = Path(made) / "home", Path(made) / "work"
        work.mkdir()
        # Nobody answers here, whatever runs on this machine: README tells of the run without a model.
        environment = {**os.environ, "OLLAMA_HOST": "http://127.0.0.1:9", "LANGSMITH_TRACING": "false"}
        asked = ["optimize", "sample:sp500", "--run=sp500", f"--home={home}", "--language=en"]
        subprocess.run([sys.executable, "-m", "threadx", *asked], check=True, env=environment)
        with (
            served_pages(home, work, "en") as url,
            opened_browser() as browser,
            opened_page(browser, VIEW) as page,
        ):
            page.set_viewport_size(SCREEN)
            page.goto(f"{url}/threadx/runs/sp500")
            page.locator(".tx-trust").wait_for()
            page.wait_for_load_state("networkidle")
            page.wait_for_function("document.querySelector('.tx-fold canvas')")
            page.screenshot(path=folder / "fold.en.png")


if __name__ == "__main__":
    main()
