"""An hour that any error ends is on record: log, history, metrics and page tell it, and why."""

import json
from datetime import timedelta
from importlib import import_module

import pytest
from prometheus_client.parser import text_string_to_metric_families

import threadx
from nodes.ensemble.errors import PublishError
from nodes.ensemble.operation.metrics import metrics_text
from nodes.ensemble.operation.partition import published_hours
from providers.errors import UnknownModelError
from tests.partitions import AS_OF, fill
from threadx.command import main
from threadx.web.watching import watched

BREAKS = {"arbiter": "pool", "check": "summary_facts"}
"""A function that each node calls."""


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("Exceeds the limit (4300 digits)"), id="library"),
        pytest.param(RecursionError(), id="depth"),
        pytest.param(OSError(28, "No space left on device"), id="disk"),
        pytest.param(UnknownModelError("bad_address", address="m"), id="provider"),
        pytest.param(MemoryError(), id="memory"),
    ],
)
@pytest.mark.parametrize(("node", "language"), [("arbiter", "fr"), ("check", "en")])
def test_whatever_ends_a_run_the_hour_is_on_record_as_failed(
    tmp_path, monkeypatch, capsys, node, error, language
):
    fill(tmp_path)
    threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules")

    def fails(*arguments, **more):
        raise error

    monkeypatch.setattr(import_module(f"nodes.ensemble.{node}"), BREAKS[node], fails)
    later = AS_OF + timedelta(hours=1)
    with pytest.raises((type(error), PublishError)):
        threadx.summarize(as_of=f"{later:%Y%m%d%H}", home=str(tmp_path), models="rules")
    assert published_hours(tmp_path) == [AS_OF]
    found = watched(tmp_path)
    assert (found.week.runs, found.week.failed, found.runs[0]["hour"]) == (2, 1, later.isoformat())
    samples = [s for f in text_string_to_metric_families(metrics_text(tmp_path).decode()) for s in f.samples]
    assert ("failed", 1.0) in [(s.labels.get("status"), s.value) for s in samples]
    for more in ([], ["--json", "-"]):
        with pytest.raises(SystemExit) as left:
            main(["ensemble", "history", f"--language={language}", f"--home={tmp_path}", *more])
        assert left.value.code == 1  # half of the day's runs failed
    out = capsys.readouterr().out
    table, whole = out[: out.index("{\n")], json.loads(out[out.index("{\n") :])
    (failure,) = whole["failures"]
    assert failure["hour"] == later.isoformat()
    assert failure["reason"]
    told = " ".join(table.split())
    assert {"fr": "14 mars 2024, 16:00 UTC", "en": "14 Mar 2024, 16:00 UTC"}[language] in told
    assert " ".join(failure["reason"].split()) in told
    assert {"fr": "elle est ancienne", "en": "it is old"}[language] in told
