#!/usr/bin/env python3
"""Computes tests/statistics/figures.json, what vedette's statistics are held against.

    python3 -m venv /tmp/figures
    /tmp/figures/bin/pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 mpmath==1.3.0
    /tmp/figures/bin/python tests/statistics/figures.py

One function per topic; each is independent of the others and of the order. Samples come from
generators with fixed seeds; moments from exact fractions, distributions from mpmath, everything
else from scipy and statsmodels, or by definition where a comment says so.
"""

import itertools
import json
import math
import pathlib
from fractions import Fraction

import mpmath
import numpy as np
import statsmodels.api as sm
from mpmath import mpf
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    power_proportions_2indep,
    proportion_confint,
    proportions_ztest,
    samplesize_proportions_2indep_onetail,
)

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


# --- distributions ---


@topic
def distributions():
    out = {"normal_sf": [], "normal_isf": [], "t_sf": [], "t_isf": [], "chi2_sf": [], "f_sf": [],
           "beta_cdf": [], "beta_sf": []}
    with mpmath.workdps(30):
        for z in [-8, -1, -1e-9, 0, 0.5, 1, 1.96, 3, 5, 8, 12, 20, 30, 37]:
            out["normal_sf"].append({"z": z, "p": float(mpmath.erfc(mpf(z) / mpmath.sqrt(2)) / 2)})
        for p in [1e-300, 1e-50, 1e-9, 0.001, 0.025, 0.05, 0.3, 0.5, 0.9, 0.999999]:
            z = mpmath.findroot(
                lambda z: mpmath.log(mpmath.erfc(z / mpmath.sqrt(2)) / 2) - mpmath.log(mpf(p)),
                mpf(stats.norm.isf(p)),
            )
            out["normal_isf"].append({"p": p, "z": float(z)})
        for df in [1, 1.5, 3, 7.3, 117.25, 999, 1000, 1e5, 2e7, 1e12]:
            for t in [0.001, 0.3, 0.99, 1.01, 1.96, 9, 30]:
                out["t_sf"].append({"t": t, "df": df, "p": float(t_sf_exact(t, df))})
            for p in [1e-12, 1e-3, 0.025, 0.3]:
                out["t_isf"].append({"p": p, "df": df, "t": t_isf_exact(p, df)})
        for df in [1, 2, 3, 9, 100, 1e4]:
            for x in [1e-6, 0.5, 1, 3.84, 20, 100, 900, df, df + 5 * math.sqrt(2 * df)]:
                p = mpmath.gammainc(mpf(df) / 2, mpf(x) / 2, mpmath.inf, regularized=True)
                out["chi2_sf"].append({"x": x, "df": df, "p": float(p)})
        for d1, d2 in [(1, 1), (1, 30), (2, 7), (5, 1000), (3, 1e6)]:
            for x in [0.01, 0.5, 1, 2.6, 11, 60]:
                y = mpf(d2) / (mpf(d2) + mpf(d1) * mpf(x))
                p = mpmath.betainc(mpf(d2) / 2, mpf(d1) / 2, 0, y, regularized=True)
                out["f_sf"].append({"x": x, "df1": d1, "df2": d2, "p": float(p)})
        for a, b in [(0.5, 0.5), (1, 1), (1, 40), (2.5, 7), (300, 4000), (50, 0.7)]:
            for x in [1e-9, 0.001, 0.07, 0.5, 0.9, 0.9999]:
                # Each tail from its own end: mpmath's difference of two loses digits.
                for name, tail in [("beta_cdf", (a, b, mpf(x))), ("beta_sf", (b, a, 1 - mpf(x)))]:
                    p = mpmath.betainc(mpf(tail[0]), mpf(tail[1]), 0, tail[2], regularized=True)
                    out[name].append({"x": x, "a": a, "b": b, "p": float(p)})
    # Too large for mpmath's series: scipy's beta is Boost's, good to about 1e-12 there.
    for a, b in [(1e6, 2e6), (1e4, 1e8), (1e9, 1e9)]:
        mean, sd = a / (a + b), math.sqrt(a * b / (a + b) ** 2 / (a + b + 1))
        for k in [-8, -3, -0.5, 0, 1, 5]:
            x = mean + k * sd
            out["beta_cdf"].append({"x": x, "a": a, "b": b, "p": stats.beta.cdf(x, a, b)})
            out["beta_sf"].append({"x": x, "a": a, "b": b, "p": stats.beta.sf(x, a, b)})
    return out


def t_sf_exact(t, df):
    """The tail of t by mpmath: the incomplete beta function for small df, else an integral."""
    t, df = mpf(t), mpf(df)
    if df < 1000:
        return mpmath.betainc(df / 2, mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
    constant = mpmath.exp(
        mpmath.loggamma((df + 1) / 2) - mpmath.loggamma(df / 2)
    ) / mpmath.sqrt(df * mpmath.pi)
    density = lambda s: mpmath.exp(-(df + 1) / 2 * mpmath.log1p(s * s / df))
    # In units of the density at t: mpmath's quadrature stops at an absolute error.
    points = [t + 3 * k / (1 + t) for k in range(40)] + [t + 200]
    return constant * density(t) * mpmath.quad(lambda s: density(s) / density(t), points)


def t_isf_exact(p, df):
    start = mpf(float(stats.t.isf(p, df)))
    if not mpmath.isfinite(start):
        raise ValueError((p, df))
    # Newton's method with the exact tail: scipy's quantile is a start.
    t = start
    for _ in range(3):
        h = t * mpf("1e-10")
        slope = (t_sf_exact(t + h, df) - t_sf_exact(t, df)) / h
        t -= (t_sf_exact(t, df) - mpf(p)) / slope
    return float(t)


# --- proportions ---


@topic
def proportions():
    cases = []
    for s_c, n_c, s_t, n_t in [
        (120, 1000, 150, 1010), (0, 50, 3, 40), (50, 50, 38, 40), (0, 30, 0, 70), (30, 30, 70, 70),
        (1, 1, 0, 1), (50_000, 1_000_000, 1, 10), (3, 1_000_000, 9, 1_000_000),
    ]:
        for alpha in [0.05, 0.001]:
            low, high = proportion_confint(s_c, n_c, alpha, "wilson")
            diff_low, diff_high = confint_proportions_2indep(
                s_t, n_t, s_c, n_c, method="newcomb", compare="diff", alpha=alpha
            )
            case = {
                "successes_control": s_c, "n_control": n_c, "successes_treatment": s_t,
                "n_treatment": n_t, "alpha": alpha, "wilson_low": low, "wilson_high": high,
                "newcombe_low": diff_low, "newcombe_high": diff_high, "z": None, "p_value": None,
            }
            if 0 < s_c + s_t < n_c + n_t:
                z, p = proportions_ztest([s_t, s_c], [n_t, n_c])
                case |= {"z": z, "p_value": p}
            cases.append(case)
    return cases


# --- fixed horizon ---


@topic
def welch():
    rng = np.random.default_rng(3)
    cases = []
    for name, c, t in [
        ("equal", rng.normal(10, 2, 50), rng.normal(11, 2, 50)),
        ("unequal", rng.normal(10, 2, 500), rng.normal(10.5, 20, 12)),
        ("no variance in one", np.full(20, 3.0), rng.normal(4, 1, 15)),
        ("two each", np.array([1.0, 2.0]), np.array([5.0, 9.0])),
        ("lognormal", rng.lognormal(2, 2, 80), rng.lognormal(2, 2, 75)),
        ("far apart", rng.normal(0, 1, 300), rng.normal(5, 1, 300)),
        ("100,000 to 10", rng.normal(0, 1, 100_000).round(1), rng.normal(1, 1, 10).round(1)),
    ]:
        test = stats.ttest_ind(t, c, equal_var=False)
        case = {"name": name, "statistic": test.statistic, "df": test.df, "p_value": test.pvalue}
        if len(c) <= 500:
            case |= {"control": c.tolist(), "treatment": t.tolist()}
        else:
            values, counts = np.unique(c, return_counts=True)
            case |= {"control_values": values.tolist(), "control_counts": counts.tolist(),
                     "treatment": t.tolist()}
        for alpha in [0.05, 0.001]:
            interval = test.confidence_interval(1 - alpha)
            case[f"low_{alpha}"], case[f"high_{alpha}"] = interval.low, interval.high
        cases.append(case)
    return cases


@topic
def fieller():
    """By bisection on the definition: the lifts whose test does not exceed the critical value."""
    cases = []
    for m_c, v_c, m_t, v_t, q in [
        (10, 0.04, 11, 0.09, 1.96), (10, 4, 11, 9, 1.96), (-10, 1, -8, 2, 2.5), (10, 0, 12, 1, 3.0),
        (1e-3, 1e-9, 1.2e-3, 2e-9, 1.96), (5, 0.01, 5, 0.01, 2.0), (100, 2000, 90, 0.1, 2.2),
        (-3, 0.1, 4, 0.2, 1.96),
    ]:
        with mpmath.workdps(40):
            c, vc, t, vt, crit = (mpf(v) for v in (m_c, v_c, m_t, v_t, q))
            over = lambda rho: (t - c - rho * c) ** 2 - crit**2 * (vt + (1 + rho) ** 2 * vc)
            centre = (t - c) / c
            ends = []
            for direction in (-1, 1):
                step = mpf(1) / 1000
                while over(centre + direction * step) < 0:
                    step *= 2
                near, far = centre, centre + direction * step
                for _ in range(160):
                    middle = (near + far) / 2
                    if over(middle) < 0:
                        near = middle
                    else:
                        far = middle
                ends.append(near if c > 0 else -near)
        cases.append({
            "m_c": m_c, "v_c": v_c, "m_t": m_t, "v_t": v_t, "critical": q,
            "lift": (m_t - m_c) / abs(m_c), "low": float(min(ends)), "high": float(max(ends)),
        })
    return cases


@topic
def adjust():
    rng = np.random.default_rng(5)
    cases = []
    for p in [rng.uniform(0, 1, 9), rng.uniform(0, 0.05, 12), np.array([0.5]),
              np.array([1e-300, 0.01, 0.01, 1.0, 0.04]), rng.beta(0.3, 2, 40)]:
        methods = {"bonferroni": "bonferroni", "holm": "holm", "hochberg": "simes-hochberg",
                   "bh": "fdr_bh"}
        cases.append({"p": p.tolist()} | {
            key: multipletests(p, method=name)[1].tolist() for key, name in methods.items()
        })
    return cases


# --- bayes ---


@topic
def bayes():
    normal = []
    with mpmath.workdps(40):
        for diff, variance, prior in [
            (0.1, 0.01, None), (-3, 0.25, None), (5, 0.04, None), (2, 1, (0, 0.5)),
            (1e-6, 1e-14, (1e-6, 1e-13)), (0, 1, None),
        ]:
            mean, var = mpf(diff), mpf(variance)
            if prior:
                m0, v0 = mpf(prior[0]), mpf(prior[1])
                mean, var = (mean / var + m0 / v0) / (1 / var + 1 / v0), 1 / (1 / var + 1 / v0)
            sd = mpmath.sqrt(var)
            z = mean / sd
            below = sd * mpmath.npdf(z) - mean * mpmath.ncdf(-z)
            normal.append({
                "diff": diff, "variance": variance, "prior_mean": prior[0] if prior else 0,
                "prior_variance": prior[1] if prior else None, "chance": float(mpmath.ncdf(z)),
                "loss_of_treatment": float(below), "loss_of_control": float(below + mean),
            })
    cases = []
    for s_c, f_c, s_t, f_t in [
        (0, 0, 0, 0), (3, 7, 6, 4), (0, 20, 0, 30), (40, 0, 55, 0), (10, 990, 19, 981), (0, 5, 50, 0),
        (1, 0, 400, 600),
    ]:
        chance, c_above, t_above = conversion_sums(s_c + 1, f_c + 1, s_t + 1, f_t + 1)
        cases.append({"s_c": s_c, "f_c": f_c, "s_t": s_t, "f_t": f_t, "chance": float(chance),
                      "loss_of_treatment": float(c_above), "loss_of_control": float(t_above)})
    for s_c, f_c, s_t, f_t in [(1_000_000, 9_000_000, 1_001_000, 8_999_000),
                               (50_000, 950_000, 3, 40)]:
        chance, c_above, t_above = conversion_integrals(s_c + 1, f_c + 1, s_t + 1, f_t + 1)
        cases.append({"s_c": s_c, "f_c": f_c, "s_t": s_t, "f_t": f_t, "chance": float(chance),
                      "loss_of_treatment": float(c_above), "loss_of_control": float(t_above)})
    return {"normal": normal, "conversions": cases}


def chance_sum(a, b, c, d):
    """P(Beta(c, d) > Beta(a, b)) as a closed sum of exact fractions (Miller 2015)."""
    beta = lambda p, q: Fraction(
        math.factorial(p - 1) * math.factorial(q - 1), math.factorial(p + q - 1)
    )
    return sum(
        beta(a + i, b + d) / ((d + i) * beta(1 + i, d) * beta(a, b)) for i in range(c)
    )


def conversion_sums(a, b, c, d):
    m_c, m_t = Fraction(a, a + b), Fraction(c, c + d)
    chance = chance_sum(a, b, c, d)
    # E[(C − T)⁺] = m_C·P(C⁺ > T) − m_T·P(C > T⁺), with one success more where there is a ⁺.
    c_above = m_c * chance_sum(c, d, a + 1, b) - m_t * chance_sum(c + 1, d, a, b)
    return chance, c_above, c_above + m_t - m_c


def conversion_integrals(a, b, c, d):
    """By Simpson's rule over ±14 standard deviations of control, the narrower arm."""
    mean_c, mean_t = a / (a + b), c / (c + d)
    sd = lambda p, q: math.sqrt(p * q / (p + q) ** 2 / (p + q + 1))
    # The narrower arm decides the steps; the wider one's tail is scipy's (Boost).
    if sd(a, b) <= sd(c, d):
        x = np.linspace(max(mean_c - 14 * sd(a, b), 1e-12), mean_c + 14 * sd(a, b), 20001)
        density = np.exp(stats.beta.logpdf(x, a, b))
        weight = np.ones(20001)
        weight[1:-1:2], weight[2:-1:2] = 4, 2
        weight = weight * density
        weight /= math.fsum(weight)
        above = stats.beta.sf(x, c, d)
        beyond = mean_t * stats.beta.sf(x, c + 1, d) - x * above
        chance, t_above = math.fsum(weight * above), math.fsum(weight * beyond)
        return chance, t_above - mean_t + mean_c, t_above
    raise ValueError("give the narrower arm first")


# --- power ---


@topic
def power():
    means = []
    for variance, effect, alpha, goal, ratio in [
        (1, 0.1, 0.05, 0.8, 1), (400, 2.5, 0.01, 0.9, 1), (1, 0.05, 0.05, 0.8, 9), (4, 0.3, 0.05, 0.95, 0.25),
    ]:
        solver = NormalIndPower()
        # statsmodels' ratio is nobs2/nobs1; its first arm is our treatment.
        n = solver.solve_power(effect / math.sqrt(variance), None, alpha, goal, ratio)
        n_t = math.ceil(n)
        n_c = math.ceil((n_t_exact := (stats.norm.isf(alpha / 2) + stats.norm.ppf(goal)) ** 2
                         * variance * (1 + 1 / ratio) / effect**2) * ratio)
        there = solver.power(effect / math.sqrt(variance), n_t, alpha, n_c / n_t)
        means.append({"variance": variance, "effect": effect, "alpha": alpha, "power": goal,
                      "ratio": ratio, "n_treatment": n_t_exact, "n_statsmodels": n, "power_there": there})
        assert abs(n - n_t_exact) < 0.01, (n, n_t_exact)
    proportions = []
    for control, treatment, alpha, goal, ratio in [
        (0.1, 0.12, 0.05, 0.8, 1), (0.01, 0.012, 0.05, 0.8, 1), (0.5, 0.4, 0.01, 0.9, 1),
        (0.05, 0.06, 0.05, 0.8, 9),
    ]:
        diff = treatment - control
        # One tail at half the level is two tails; ratio is nobs2/nobs1, first is treatment.
        n = samplesize_proportions_2indep_onetail(
            diff, control, goal, ratio=ratio, alpha=alpha / 2,
            alternative="larger" if diff > 0 else "smaller",
        )
        n_t, n_c = math.ceil(n), math.ceil(n * ratio)
        there = power_proportions_2indep(
            diff, control, n_t, ratio=n_c / n_t, alpha=alpha, return_results=False
        )
        proportions.append({"control": control, "treatment": treatment, "alpha": alpha, "power": goal,
                            "ratio": ratio, "n_treatment": n, "power_there": float(there)})
    return {"means": means, "proportions": proportions}


# --- contrasts ---


@topic
def contrast():
    """A saturated model; HC2 makes its variances those of separate cells."""
    rng = np.random.default_rng(13)
    out = []
    for levels in [(2, 2), (2, 3), (2, 2, 3)]:
        grid = list(itertools.product(*[range(count) for count in levels]))
        per_cell = 12
        cells = [rng.normal(10 + 2 * sum(cell) + cell[0] * cell[1], 1 + cell[0], per_cell)
                 for cell in grid]
        y = np.concatenate(cells)
        design = np.kron(np.eye(len(grid)), np.ones((per_cell, 1)))
        fit = sm.OLS(y, design).fit(cov_type="HC2")
        effects = []

        def effect(which):
            weights = np.zeros(len(grid))
            others = len(grid) / np.prod([levels[factor] for factor, _ in which])
            for at, cell in enumerate(grid):
                if all(cell[factor] in (0, level) for factor, level in which):
                    signs = [1 if cell[factor] == level else -1 for factor, level in which]
                    weights[at] = np.prod(signs) / others
            test = fit.t_test(weights)
            effects.append({"which": [int(v) for pair in which for v in pair],
                            "value": float(test.effect[0]), "variance": float(test.sd[0, 0]) ** 2})

        for factor, count in enumerate(levels):
            for level in range(1, count):
                effect([(factor, level)])
        for a, b in itertools.combinations(range(len(levels)), 2):
            for i in range(1, levels[a]):
                for j in range(1, levels[b]):
                    effect([(a, i), (b, j)])
        out.append({"levels": list(levels), "cells": [cell.tolist() for cell in cells],
                    "effects": effects})
    return out


def write():
    out = {name: function() for name, function in TOPICS.items()}
    path = pathlib.Path(__file__).with_name("figures.json")
    # NaN and infinity are no JSON; a figure that is one is a fault of this script.
    path.write_text(json.dumps(out, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    write()
