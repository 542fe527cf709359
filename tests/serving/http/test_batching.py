"""Requests that are run together get what each would get alone."""

import asyncio
import concurrent.futures
import threading

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from hypothesis import given, settings

from tests.serving.helpers import network, running
from tests.serving.http.helpers import folder_of

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)


def batched(sizes, *, largest, kinds=1):
    """Runs requests of these sizes together; the batches, and whether each is right."""
    from keras_ssp.serving.http.batching import Batcher

    batches = []

    def run(arrays):
        (x,) = arrays.values()
        batches.append(x.shape)
        return {"double": 2 * x, "sum": x.sum(axis=1)}

    async def ask(batcher, k, size):
        x = np.random.default_rng(k).normal(size=(size, 3 + k % kinds))
        found = await batcher({"x": x})
        np.testing.assert_array_equal(found["double"], 2 * x)
        np.testing.assert_array_equal(found["sum"], x.sum(axis=1))

    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            batcher = Batcher(run, executor, largest=largest, wait=0.005)
            await asyncio.gather(*(ask(batcher, k, n) for k, n in enumerate(sizes)))

    asyncio.run(main())
    return batches


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    largest=st.integers(1, 12),
    kinds=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_everybody_gets_their_own_rows(sizes, largest, kinds):
    batches = batched(sizes, largest=largest, kinds=kinds)
    assert sum(rows for rows, _ in batches) == sum(sizes)
    # Only a request that is larger by itself makes a batch that is.
    assert all(rows <= max(largest, *sizes) for rows, _ in batches)


def test_requests_that_wait_together_run_together():
    assert len(batched([1] * 16, largest=16)) == 1
    assert len(batched([1] * 17, largest=16)) == 2


def test_a_failure_reaches_all_of_its_batch_and_nobody_else():
    from keras_ssp.serving.http.batching import Batcher

    def run(arrays):
        if np.isnan(arrays["x"]).any():
            raise RuntimeError("wrong")
        return dict(arrays)

    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            batcher = Batcher(run, executor, largest=2, wait=0.005)
            x = [np.full((1, 1), v) for v in (np.nan, 1.0, 2.0, 3.0)]
            return await asyncio.gather(
                *(batcher({"x": each}) for each in x), return_exceptions=True
            )

    first, second, third, fourth = asyncio.run(main())
    assert isinstance(first, RuntimeError) and isinstance(second, RuntimeError)
    assert third["x"] == 2.0 and fourth["x"] == 3.0


def test_clients_never_disturb_each_other(tmp_path):
    """Exact results and energies, under load, whatever is in the same batch."""
    folder_of(tmp_path)
    _, x = network()
    with running(tmp_path, poll=0) as address:
        path = f"{address}/v1/models/small:predict"

        def ask(client, sample):
            body = {"signature_name": "energy_report", "instances": [sample.tolist()]}
            answer = client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()["predictions"][0], answer.headers["X-Energy-Joules"]

        with httpx.Client(timeout=60) as client:
            alone = [ask(client, sample) for sample in x]
        wrong = []

        def load(k):
            with httpx.Client(timeout=60) as client:
                for turn in range(20):
                    sample = (k + turn) % len(x)
                    if ask(client, x[sample]) != alone[sample]:
                        wrong.append(sample)

        threads = [threading.Thread(target=load, args=(k,)) for k in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not wrong
        metrics = httpx.get(f"{address}/metrics").text
    samples = len(x) + 12 * 20
    assert f'ssp_samples_total{{model="small",version="1"}} {samples}.0' in metrics
    spent = sum(float(energy) for _, energy in alone)
    spent += sum(
        float(alone[(k + t) % len(x)][1]) for k in range(12) for t in range(20)
    )
    (line,) = [
        line
        for line in metrics.splitlines()
        if line.startswith("ssp_energy_joules_total{")
    ]
    assert float(line.split()[-1]) == pytest.approx(spent, rel=1e-5)
