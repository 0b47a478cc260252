#!/usr/bin/env python3
"""Computes tests/statistics/figures.json, what vedette's statistics are held against.

    python3 -m venv /tmp/figures
    /tmp/figures/bin/pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    /tmp/figures/bin/python tests/statistics/figures.py

One function per topic; each is independent of the others and of the order. Samples come from
generators with fixed seeds; moments from exact fractions, everything else from scipy and
statsmodels, or by hand where a comment says so.
"""

import json
import math
import pathlib
from fractions import Fraction

import numpy as np
import statsmodels.api as sm
from scipy import stats

TOPICS = {}


def topic(function):
    TOPICS[function.__name__] = function
    return function


def rounded(fraction):
    """The nearest double of a fraction (Python rounds a quotient of integers correctly)."""
    try:
        return fraction.numerator / fraction.denominator
    except OverflowError:
        return None


def samples():
    """Named samples, the nasty ones included."""
    rng = np.random.default_rng(20260101)
    return {
        "normal": rng.normal(100, 15, 60),
        "normal at 1e9": 1e9 + rng.normal(0, 1, 60),
        "integers at 1e15": 1e15 + rng.integers(-50, 50, 60),
        "lognormal": rng.lognormal(3, 2, 60),
        "bernoulli": rng.integers(0, 2, 60),
        "tiny": rng.normal(0, 1, 30) * 1e-300,
        "subnormal": rng.integers(1, 9, 30) * 5e-324,
        "huge": rng.normal(0, 1, 30) * 1e99,
        "from tiny to huge": 10.0 ** rng.uniform(-300, 99, 30),
        "two": np.array([0.1, 0.7]),
        "one": np.array([-3.25]),
    }


# --- moments ---


@topic
def moments():
    cases = []
    for name, values in samples().items():
        values = [float(value) for value in values]
        exact = [Fraction(value) for value in values]
        n = len(exact)
        mean = sum(exact) / n
        m2 = sum((value - mean) ** 2 for value in exact)
        m3 = sum((value - mean) ** 3 for value in exact)
        cases.append({
            "name": name,
            "values": values,
            "mean": rounded(mean),
            "variance": rounded(m2 / (n - 1)) if n > 1 else None,
            "m2": rounded(m2),
            "m3": rounded(m3),
            "third": rounded(m3 / n),
        })
    return cases


# --- estimates ---


@topic
def ratio():
    """The delta method, in exact fractions: variance of the residuals over the mean squared."""
    rng = np.random.default_rng(7)
    cases = []
    for name, x, y in [
        ("clicks per view", rng.poisson(20, 80) + 1, rng.poisson(3, 80)),
        ("nearly proportional", rng.integers(10**8, 10**9, 80), None),
        ("money per order", rng.integers(1, 9, 80), rng.lognormal(3, 1, 80)),
    ]:
        if y is None:
            y = 3 * x + rng.integers(-2, 3, 80)
        x, y = [float(v) for v in x], [float(v) for v in y]
        fx, fy = [Fraction(v) for v in x], [Fraction(v) for v in y]
        n = len(x)
        r = sum(fy) / sum(fx)
        mean_x, mean_y = sum(fx) / n, sum(fy) / n
        cov = lambda a, ma, b, mb: sum((i - ma) * (j - mb) for i, j in zip(a, b)) / (n - 1)
        unit = (
            cov(fy, mean_y, fy, mean_y)
            - 2 * r * cov(fx, mean_x, fy, mean_y)
            + r * r * cov(fx, mean_x, fx, mean_x)
        ) / mean_x**2
        residuals = [b - r * a for a, b in zip(fx, fy)]
        third = sum(v**3 for v in residuals) / n / mean_x**3
        cases.append({
            "name": name, "x": x, "y": y, "value": rounded(r), "unit_variance": rounded(unit),
            "variance": rounded(unit / n), "third": rounded(third),
        })
    return cases


@topic
def cuped():
    """θ is the coefficient of the covariate in an OLS of the metric on arm and covariate."""
    rng = np.random.default_rng(11)
    cases = []
    for name, shift, slope in [("strong", 0.0, 0.9), ("weak", 500.0, 0.1), ("against", 0.0, -2.0)]:
        x_c, x_t = shift + rng.normal(50, 10, 70), shift + rng.normal(50, 10, 40)
        y_c = slope * x_c + rng.normal(10, 3, 70)
        y_t = slope * x_t + rng.normal(11, 5, 40)
        arm = np.r_[np.zeros(70), np.ones(40)]
        x, y = np.r_[x_c, x_t], np.r_[y_c, y_t]
        model = sm.OLS(y, np.column_stack([np.ones(110), arm, x - x.mean()])).fit()
        theta = model.params[2]
        adjusted = y - theta * (x - x.mean())
        cases.append({
            "name": name,
            "x_control": x_c.tolist(), "y_control": y_c.tolist(),
            "x_treatment": x_t.tolist(), "y_treatment": y_t.tolist(),
            "theta": theta, "effect": model.params[1],
            "control": adjusted[:70].mean(), "treatment": adjusted[70:].mean(),
            "variance_control": adjusted[:70].var(ddof=1) / 70,
            "variance_treatment": adjusted[70:].var(ddof=1) / 40,
            "third_control": stats.moment(adjusted[:70], 3),
        })
    return cases


def write():
    out = {name: function() for name, function in TOPICS.items()}
    path = pathlib.Path(__file__).with_name("figures.json")
    # NaN and infinity are no JSON; a figure that is one is a fault of this script.
    path.write_text(json.dumps(out, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    write()
