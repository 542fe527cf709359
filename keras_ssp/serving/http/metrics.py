"""What a server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_ssp._extras import require
from keras_ssp.serving.exported import ExportedModel
from keras_ssp.types import Array

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The metrics of one server; nothing of them is process-wide.

    `ssp_requests_total` and `ssp_request_seconds` tell the requests,
    `ssp_energy_joules_total`, `ssp_synops_total` and `ssp_spikes_total` what their
    samples cost, estimated from operation counts. TensorFlow Serving's own
    `:tensorflow:serving:request_count` and `request_latency` (microseconds) are there
    for dashboards that know them.
    """

    def __init__(self) -> None:
        prometheus = require("prometheus_client", extra="serve")
        self._registry = prometheus.CollectorRegistry()
        self._latest = prometheus.generate_latest
        self.content_type = prometheus.CONTENT_TYPE_LATEST

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Any:
            return prometheus.Counter(name, text, labels, registry=self._registry)

        model = ("model", "version")
        self._requests = counter(
            "ssp_requests_total",
            "Requests answered",
            (*model, "signature", "status"),
        )
        self._joules = counter(
            "ssp_energy_joules_total", "Energy of the samples, estimated", model
        )
        self._synops = counter("ssp_synops_total", "Synaptic operations", model)
        self._spikes = counter("ssp_spikes_total", "Spikes by layer", (*model, "layer"))
        self._samples = counter("ssp_samples_total", "Samples answered", model)
        self._not_finite = counter(
            "ssp_not_finite_total", "Samples whose outputs were not finite", model
        )
        self._seconds = prometheus.Histogram(
            "ssp_request_seconds",
            "Time from a request's first byte to its answer",
            ("model",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._tf_requests = counter(
            ":tensorflow:serving:request_count",
            "Requests, as TensorFlow Serving counts them",
            ("model_name", "status"),
        )
        self._tf_seconds = prometheus.Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds of a request, as TensorFlow Serving has them",
            ("model_name", "API", "entrypoint"),
            buckets=[1e6 * each for each in _SECONDS],
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return bytes(self._latest(self._registry))

    def request(
        self, model: str, version: str, signature: str, status: str, seconds: float
    ) -> None:
        """Counts a request; `model` is empty where there is none of that name."""
        self._requests.labels(model, version, signature, status).inc()
        self._seconds.labels(model).observe(seconds)
        self._tf_requests.labels(model, status).inc()
        self._tf_seconds.labels(model, "predict", "REST").observe(1e6 * seconds)

    def samples(
        self,
        model: str,
        version: str,
        exported: ExportedModel,
        outputs: Mapping[str, Array],
    ) -> None:
        """Counts what the samples of an `energy_report` answer cost."""
        joules = outputs["energy_joules"]
        finite = np.isfinite(joules)
        self._samples.labels(model, version).inc(len(joules))
        self._joules.labels(model, version).inc(float(joules[finite].sum()))
        self._synops.labels(model, version).inc(float(outputs["synops"].sum()))
        self._not_finite.labels(model, version).inc(int((~finite).sum()))
        for layer in (exported.card or {}).get("layers", ()):
            spikes = outputs.get(f"{layer['key']}_spikes")
            if spikes is not None:
                fired = self._spikes.labels(model, version, layer["name"])
                fired.inc(float(spikes.sum()))
