"""Writes metrics in Prometheus's text format 0.0.4 (prometheus.io, "Exposition formats"). Pure.

prometheus-client would do it too, at 2.1 MB of memory for registries and locks that nobody here uses: everything is
collected in one go on the event loop. Its parser judges this text in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.metrics.histogram import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(slots=True)
class Metric:
    """One name with its samples. A counter's name ends in `_total`."""

    name: str
    kind: str
    """`gauge`, `counter` or `histogram`."""
    help: str
    """One line."""
    samples: list[tuple[str, str, float]] = field(default_factory=list)
    """Suffix, labels as written, value."""

    def add(self, value: float, **labels: str) -> None:
        """One sample."""
        self.samples.append(("", _written(labels), value))

    def add_histogram(self, histogram: Histogram, **labels: str) -> None:
        """All samples of a histogram."""
        for bound, count in zip(histogram.bounds, histogram.cumulative(), strict=True):
            self.samples.append(("_bucket", _written({**labels, "le": _number(bound)}), count))
        self.samples.append(("_bucket", _written({**labels, "le": "+Inf"}), histogram.count))
        self.samples.append(("_sum", _written(labels), histogram.total))
        self.samples.append(("_count", _written(labels), histogram.count))


def render(metrics: Iterable[Metric]) -> bytes:
    """The whole text. A metric without samples is left out."""
    return "".join(line for metric in metrics if metric.samples for line in _lines(metric)).encode()


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}\n"
    yield f"# TYPE {metric.name} {metric.kind}\n"
    for suffix, labels, value in metric.samples:
        yield f"{metric.name}{suffix}{labels} {_number(value)}\n"


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value):
        return repr(value) if value != int(value) or abs(value) > 1e15 else str(int(value))
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
