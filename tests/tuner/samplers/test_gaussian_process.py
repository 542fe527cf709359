"""Gaussian processes against scikit-learn's, and their fit."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from keras_ssp.tuner.samplers.gaussian_process import (
    GaussianProcess,
    Kernel,
    log_likelihood,
)


def data(n=20, f=3, seed=0, noise=0.05):
    rng = np.random.default_rng(seed)
    x = rng.random((n, f))
    y = np.sin(5 * x[:, 0]) + x[:, -1] ** 2 + noise * rng.standard_normal(n)
    return x, 3.0 + 10.0 * y


def sklearns(x, y, kernel):
    shape = ConstantKernel(kernel.signal) * Matern(kernel.lengths, nu=2.5)
    return GaussianProcessRegressor(
        shape, alpha=kernel.noise, optimizer=None, normalize_y=True
    ).fit(x, y)


def test_posterior_is_scikit_learns():
    x, y = data()
    kernel = Kernel(np.asarray([0.3, 1.0, 2.5]), signal=1.7, noise=0.02)
    new = np.random.default_rng(1).random((30, 3))
    expected = sklearns(x, y, kernel).predict(new, return_std=True)
    found = GaussianProcess(x, y, kernel).predict(new)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_likelihood_is_scikit_learns():
    x, y = data()
    y = (y - y.mean()) / y.std()
    theta = np.log([0.3, 1.0, 2.5, 1.7, 0.02])
    kernel = Kernel(np.asarray([0.3, 1.0, 2.5]), signal=1.7, noise=0.02)
    model = sklearns(x, y, kernel)
    expected = model.log_marginal_likelihood(model.kernel_.theta)
    assert log_likelihood(x, y, theta)[0] == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-2.0, 1.0), min_size=5, max_size=5), st.integers(2, 15))
def test_gradient_is_that_of_finite_differences(theta, n):
    x, y = data(n)
    y, theta = (y - y.mean()) / y.std(), np.asarray(theta)
    slope, step = log_likelihood(x, y, theta)[1], 1e-5
    for k, move in enumerate(step * np.eye(5)):
        up, down = (log_likelihood(x, y, theta + s * move)[0] for s in (1, -1))
        expected = (up - down) / (2 * step)
        assert slope[k] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_fit_is_at_least_as_likely_as_the_truth():
    # Targets drawn from a known process: what is fitted explains them no worse, but for
    # what the prior takes.
    rng = np.random.default_rng(3)
    x = rng.random((60, 2))
    truth = Kernel(np.asarray([0.2, 1.5]), signal=1.0, noise=0.01)
    covariance = truth(x, x) + truth.noise * np.eye(60)
    y = np.linalg.cholesky(covariance) @ rng.standard_normal(60)
    found = GaussianProcess.fitted(x, y, rng).kernel
    standard = (y - y.mean()) / y.std()

    def value(k):
        return log_likelihood(x, standard, np.log([*k.lengths, k.signal, k.noise]))[0]

    assert value(found) > value(truth) - 2.0
    assert found.lengths[0] < 0.5 < found.lengths[1]
    assert 0.003 < found.noise < 0.04


def test_noise_is_learned():
    x, y = data(80, noise=0.0)
    rough, exact = (
        GaussianProcess.fitted(x, targets, np.random.default_rng(0)).kernel.noise
        for targets in (y + 5.0 * np.random.default_rng(1).standard_normal(80), y)
    )
    assert exact < 1e-3 < 0.05 < rough


def test_the_same_random_numbers_give_the_same_fit():
    x, y = data()
    first, again = (
        GaussianProcess.fitted(x, y, np.random.default_rng(5)).predict(x)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_units_of_the_targets_do_not_matter(scale):
    x, y = data()
    one = GaussianProcess.fitted(x, y, np.random.default_rng(0)).predict(x)
    other = GaussianProcess.fitted(x, scale * y, np.random.default_rng(0)).predict(x)
    np.testing.assert_allclose(np.asarray(other) / scale, one, rtol=1e-4)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([[0.5, 0.5]], [2.0]),
        ([[0.5, 0.5]] * 4, [2.0] * 4),
        ([[0.5, 0.5]] * 3, [1.0, 2.0, 3.0]),
        (np.random.default_rng(0).random((3, 12)), [1.0, 2.0, 4.0]),
    ],
    ids=["one", "all equal", "one point measured thrice", "fewer than features"],
)
def test_little_to_learn_from(x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    process = GaussianProcess.fitted(x, y, np.random.default_rng(0))
    mean, deviation = process.predict(np.vstack([x, x + 0.3]))
    assert np.isfinite(mean).all() and (deviation >= 0).all()
    assert (mean >= y.min() - np.ptp(y) - 1e-6).all()
    assert (mean <= y.max() + np.ptp(y) + 1e-6).all()


def test_believing_keeps_the_mean_and_takes_the_doubt():
    x, y = data()
    process = GaussianProcess.fitted(x, y, np.random.default_rng(0))
    new, others = np.asarray([[0.9, 0.1, 0.5]]), np.random.default_rng(2).random((9, 3))
    believing = process.believing(new)
    before, after = process.predict(others), believing.predict(others)
    np.testing.assert_allclose(after[0], before[0], rtol=1e-6, atol=1e-6)
    assert (after[1] <= before[1] + 1e-9).all()
    assert believing.predict(new)[1] < 0.5 * process.predict(new)[1]
    assert process.believing(np.empty((0, 3))) is process


def test_200_trials_take_about_a_second():
    x, y = data(200, 5)
    started = time.process_time()
    GaussianProcess.fitted(x, y, np.random.default_rng(0))
    assert time.process_time() - started < 2.0  # 0.3 s on a quiet core
