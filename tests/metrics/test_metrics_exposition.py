"""What Prometheus reads is what was measured, judged by Prometheus's own parser."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics.exposition import Metric, render
from gateway.metrics.histogram import Histogram


def parsed(*metrics: Metric):
    return {family.name: family for family in text_string_to_metric_families(render(metrics).decode())}


def test_a_histogram_is_cumulative_and_a_bound_belongs_to_its_bucket():
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    metric = Metric("gateway_lag_seconds", "histogram", "Lag.")
    metric.add_histogram(histogram, output="hls")
    (family,) = parsed(metric).values()
    assert family.type == "histogram"
    found = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert found == {
        ("gateway_lag_seconds_bucket", "0.1"): 2,
        ("gateway_lag_seconds_bucket", "1"): 3,
        ("gateway_lag_seconds_bucket", "+Inf"): 4,
        ("gateway_lag_seconds_sum", None): 7.65,
        ("gateway_lag_seconds_count", None): 4,
    }


def test_a_metric_without_samples_is_left_out():
    assert render([Metric("gateway_nothing", "gauge", "Nothing.")]) == b""


@given(st.text(), st.floats(allow_nan=True, allow_infinity=True))
def test_every_label_and_number_comes_back_as_it_was(text, value):
    metric = Metric("gateway_thing", "gauge", "A thing.")
    metric.add(value, camera=text)
    (family,) = parsed(metric).values()
    (sample,) = family.samples
    assert sample.labels == {"camera": text}
    assert sample.value == value or (math.isnan(value) and math.isnan(sample.value))
