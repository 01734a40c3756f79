"""The ensemble's figures in the text format of Prometheus, drawn from the logs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nodes.ensemble.operation.partition import published_hours
from nodes.ensemble.operation.run_log import LOWEST_SUCCESS, MOST_FAILURES, SLOWEST_P95, statistics
from providers.calls_log import CallsLog, Outcome
from providers.oversight import RECORD_SECONDS, breaker

_ALERTS = {"success": LOWEST_SUCCESS, "failures": MOST_FAILURES, "latency": SLOWEST_P95}


class _Figures(Collector):
    """Reads the logs when it is asked."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def collect(self) -> Iterable[Metric]:
        found = statistics(self.home)
        runs = GaugeMetricFamily(
            "threadx_ensemble_runs_7d", "Runs of the last seven days by status.", labels=["status"]
        )
        for status in ("finished", "degraded", "failed"):
            runs.add_metric([status], getattr(found, status))
        yield runs
        seconds = GaugeMetricFamily(
            "threadx_ensemble_run_seconds_7d", "Wall time of a run over seven days.", labels=["quantile"]
        )
        for name, value in (("0.5", found.p50_seconds), ("0.95", found.p95_seconds)):
            if value is not None:
                seconds.add_metric([name], value)
        yield seconds
        raised = {alert.code for alert in found.alerts}
        alerts = GaugeMetricFamily("threadx_ensemble_alert", "1 while a limit is passed.", labels=["alert"])
        for code in _ALERTS:
            alerts.add_metric([code], float(code in raised))
        yield alerts
        hours = published_hours(self.home)
        if hours:
            yield GaugeMetricFamily(
                "threadx_ensemble_last_hour_timestamp_seconds",
                "Hour of the newest published summary.",
                value=hours[-1].timestamp(),
            )
            yield GaugeMetricFamily(
                "threadx_ensemble_last_hour_age_seconds",
                "Age of the newest published summary.",
                value=time.time() - hours[-1].timestamp(),
            )
        yield from self._calls()

    def _calls(self) -> Iterable[Metric]:
        counts: Counter[tuple[str, str]] = Counter()
        latency: dict[str, list[float]] = {}
        tokens: Counter[tuple[str, str]] = Counter()
        log = CallsLog(self.home / "logs")
        for line in log.lines(RECORD_SECONDS):
            model = line["model"]
            counts[model, "cached" if line["cached"] else line["code"] or line["outcome"]] += 1
            if not line["cached"]:
                latency.setdefault(model, []).append(line["seconds"])
            for kind in ("prompt", "answer"):
                tokens[model, kind] += line[f"{kind}_tokens"] or 0
        calls = GaugeMetricFamily(
            "threadx_model_calls_7d",
            "Tries of a model over seven days by outcome.",
            labels=["model", "outcome"],
        )
        for (model, outcome), count in sorted(counts.items()):
            calls.add_metric([model, outcome], count)
        mean = GaugeMetricFamily(
            "threadx_model_seconds_mean_7d", "Mean seconds of a try over seven days.", labels=["model"]
        )
        opened = GaugeMetricFamily(
            "threadx_model_breaker_open", "1 while a model is left out for its record.", labels=["model"]
        )
        for model, values in sorted(latency.items()):
            mean.add_metric([model], sum(values) / len(values))
            outcomes: list[Outcome] = log.outcomes(model, RECORD_SECONDS)
            opened.add_metric([model], float(breaker(outcomes).is_open))
        used = GaugeMetricFamily(
            "threadx_model_tokens_7d", "Tokens over seven days.", labels=["model", "kind"]
        )
        for (model, kind), count in sorted(tokens.items()):
            used.add_metric([model, kind], count)
        yield from (calls, mean, opened, used)


def metrics_text(home: Path) -> bytes:
    """The figures of a data folder, as Prometheus scrapes them (text format 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(home))
    return generate_latest(registry)
