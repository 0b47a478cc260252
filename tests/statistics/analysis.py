#!/usr/bin/env python3
"""Whole analyses, computed a second time: writes analysis.json, which src/experiments/analyze/tests
compares with what vedette says. Nothing here is translated from the Rust code: estimates come from
numpy, tests and intervals from scipy and statsmodels where they have them, and else from the
formulas of the papers.

    pip install numpy==2.* scipy==1.* statsmodels==0.14.*
    python3 tests/statistics/analysis.py
"""

import json
import math
import pathlib

import numpy as np
from scipy import optimize, special, stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    proportions_ztest,
)

ALPHA = 0.05
TUNED = 5000.0


# The confidence sequence of Waudby-Smith et al. (arXiv 2103.06476).
def rho2(alpha=ALPHA, tuned=TUNED):
    return (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / tuned


def reach(clock, alpha=ALPHA, tuned_alpha=ALPHA):
    u = clock * rho2(tuned_alpha)
    return math.sqrt(2 * (u + 1) / u * math.log(math.sqrt(u + 1) / alpha))


def ln_e(diff, se, clock):
    u = clock * rho2()
    return (diff / se) ** 2 * u / (2 * (u + 1)) - 0.5 * math.log(u + 1)


def p_value(e):
    return min(1.0, math.exp(-e))


def clock(n_c, n_t):
    return 4 * n_c * n_t / (n_c + n_t)


def fieller(m_c, v_c, m_t, v_t, q):
    """Ends of the interval of m_t/m_c - 1, as the roots of the quadratic in the ratio."""
    roots = np.roots([m_c**2 - q * q * v_c, -2 * m_c * m_t, m_t**2 - q * q * v_t])
    ends = sorted(float(r.real) - 1 for r in roots)
    return ends


def comparison(m_c, v_c, n_c, m_t, v_t, n_t, family=1, mde=None):
    """What every comparison of one epoch says by the sequence."""
    diff, se, t = m_t - m_c, math.sqrt(v_c + v_t), clock(n_c, n_t)
    e = ln_e(diff, se, t)
    q = reach(t)
    low, high = fieller(m_c, v_c, m_t, v_t, q)
    out = {
        "diff": diff,
        "se": se,
        "log_e": e,
        "p_value": p_value(e),
        "ci_low": diff - q * se,
        "ci_high": diff + q * se,
        "relative/lift": diff / abs(m_c),
        "relative/ci_low": low,
        "relative/ci_high": high,
        "simultaneous/ci_low": diff - reach(t, ALPHA / family) * se,
        "simultaneous/ci_high": diff + reach(t, ALPHA / family) * se,
        "power/mde_at_80": (reach(t, ALPHA / family) + stats.norm.ppf(0.8)) * se,
    }
    if mde is not None:
        alone = ALPHA / family
        out["power/power_at_mde"] = (
            stats.norm.sf(reach(t, alone) - mde / se) + stats.norm.cdf(-reach(t, alone) - mde / se)
        )

        def missing(k):
            return (reach(t * k, alone) + stats.norm.ppf(0.8)) * se / math.sqrt(k) - mde

        k = optimize.brentq(missing, 1e-6, 1e6, xtol=1e-14, rtol=1e-14)
        out["power/n_needed"] = math.ceil(k * (n_c + n_t))
    return out


def under(prefix, values):
    return {f"{prefix}/{key}": value for key, value in values.items()}


def definition(metrics, variants=("control", "variant"), **more):
    made = {
        "name": "case",
        "variants": [{"name": v, "traffic_weight": 1, "is_control": i == 0} for i, v in enumerate(variants)],
        "metrics": metrics,
    }
    made.update(more)
    return made


def state(weights=((1, 1),), **more):
    epochs = [
        {"from": 1_700_000_000_000 + i * 86_400_000, "weights": list(w), "traffic_allocation": 100.0}
        for i, w in enumerate(weights)
    ]
    made = {
        "number": 1,
        "status": "running",
        "started_at": 1_700_000_000_000,
        "epochs": epochs,
    }
    made.update(more)
    return made


def metric(name, **more):
    made = {"name": name, "better": "higher"}
    made.update(more)
    return made


def welch(c, t):
    test = stats.ttest_ind(t, c, equal_var=False)
    interval = test.confidence_interval(1 - ALPHA)
    return {
        "t": float(test.statistic),
        "df": float(test.df),
        "p_value": float(test.pvalue),
        "ci_low": float(interval.low),
        "ci_high": float(interval.high),
    }


def multinomial_ln_e(counts, weights, c=10_000.0):
    w = np.array(weights, float) / np.sum(weights)
    k, n = np.array(counts, float), float(np.sum(counts))
    parts = special.gammaln(c * w + k) - special.gammaln(c * w) - k * np.log(w)
    return float(special.gammaln(c) - special.gammaln(c + n) + parts.sum())


def srm(counts, weights):
    w = np.array(weights, float) / np.sum(weights)
    test = stats.chisquare(counts, w * np.sum(counts))
    e = max(0.0, multinomial_ln_e(counts, weights))
    return {
        "chi2": float(test.statistic),
        "df": len(counts) - 1,
        "p_value": float(test.pvalue),
        "max_log_e": e,
        "p_sequential": p_value(e),
        "alarm": p_value(e) < 0.001,
    }


def conversions():
    n_c, n_t, s_c, s_t = 5000, 5100, 500, 640
    p_c, p_t = s_c / n_c, s_t / n_t
    said = comparison(p_c, p_c * (1 - p_c) / n_c, n_c, p_t, p_t * (1 - p_t) / n_t, n_t, mde=0.01)
    z, p = proportions_ztest([s_t, s_c], [n_t, n_c])
    low, high = confint_proportions_2indep(s_t, n_t, s_c, n_c, method="newcomb", compare="diff")
    said.update({"fixed/t": z, "fixed/p_value": p, "fixed/ci_low": low, "fixed/ci_high": high, "fixed/df": None})
    # Chance to win of Beta(1, 1) posteriors, by quadrature over the variant's quantiles.
    a, b = stats.beta(1 + s_c, 1 + n_c - s_c), stats.beta(1 + s_t, 1 + n_t - s_t)
    from scipy.integrate import quad

    win = quad(lambda x: b.pdf(x) * a.cdf(x), 0.08, 0.18, epsabs=1e-14, epsrel=1e-12, limit=400)[0]
    said["bayes/chance_to_win"] = win
    expected = under("/metrics/0/comparisons/0", said)
    for place, (s, n) in enumerate([(s_c, n_c), (s_t, n_t)]):
        low, high = proportion_confint(s, n, method="wilson")
        at = {"n": n, "mean": s / n, "variance": s / n * (1 - s / n), "ci_low": low, "ci_high": high}
        expected.update(under(f"/metrics/0/variants/{place}", at))
    expected.update(under("/srm", srm([n_c, n_t], [1, 1])))
    expected.update({"/winner": "variant", "/decision": "ship", "/metrics/0/comparisons/0/readiness": "ready"})
    return {
        "name": "an A/B test of conversions",
        "definition": definition([metric("m", estimator="proportion", minimum_detectable_effect=0.01)]),
        "state": state(),
        "exposed": [[0, 0, n_c], [0, 1, n_t]],
        "units": [[0, 0, 0, 1, 1, None, s_c], [0, 0, 0, 0, 1, None, n_c - s_c],
                  [0, 1, 0, 1, 1, None, s_t], [0, 1, 0, 0, 1, None, n_t - s_t]],
        "expected": expected,
    }


def units_of(epoch, variant, place, values, denominators=None, covariates=None):
    return [
        [epoch, variant, place, float(v),
         1.0 if denominators is None else float(denominators[i]),
         None if covariates is None or covariates[i] is None else float(covariates[i]), 1]
        for i, v in enumerate(values)
    ]


def counted(epoch, variant, place, values):
    """Equal values with their count, as in bulk."""
    return [[epoch, variant, place, float(v), 1, None, int(n)]
            for v, n in zip(*np.unique(values, return_counts=True))]


def ratio():
    rng = np.random.default_rng(1)
    arms = []
    for place, n in enumerate([400, 500]):
        d = rng.poisson(3, n) + 1
        y = np.round(d * (2 + 0.1 * place) + rng.normal(0, 1, n), 2)
        arms.append((y, d))

    def estimate(y, d):
        n, r = len(y), y.sum() / d.sum()
        s = np.cov(y, d)
        return r, (s[0, 0] - 2 * r * s[0, 1] + r * r * s[1, 1]) / (d.mean() ** 2 * n), n

    (m_c, v_c, n_c), (m_t, v_t, n_t) = (estimate(*arm) for arm in arms)
    expected = under("/metrics/0/comparisons/0", comparison(m_c, v_c, n_c, m_t, v_t, n_t))
    expected["/metrics/0/variants/1/mean"] = m_t
    return {
        "name": "a ratio metric",
        "definition": definition([metric("m", estimator="ratio")]),
        "state": state(),
        "exposed": [[0, 0, n_c], [0, 1, n_t]],
        "units": [u for i, (y, d) in enumerate(arms) for u in units_of(0, i, 0, y, d)],
        "expected": expected,
    }


def cuped(partly):
    rng = np.random.default_rng(2)
    arms = []
    for place, n in enumerate([600, 500]):
        x = np.round(rng.gamma(4, 5, n), 1)
        y = np.round(1e9 + x * 1.5 + rng.normal(0, 4, n) + 0.8 * place, 2)
        known = np.arange(n) % 3 > 0 if partly else np.ones(n, bool)
        arms.append((x, y, known))
    # theta is the covariate's coefficient in an analysis of covariance of the known units.
    x = np.concatenate([arm[0][arm[2]] for arm in arms])
    y = np.concatenate([arm[1][arm[2]] - 1e9 for arm in arms])
    treated = np.concatenate([np.full(arm[2].sum(), float(i)) for i, arm in enumerate(arms)])
    theta = OLS(y, np.column_stack([np.ones_like(x), treated, x])).fit().params[2]
    centre = x.mean()
    adjusted = [np.where(k, y - 1e9 - theta * (x - centre), y - 1e9) for x, y, k in arms]
    if not partly:
        made = [(a.mean(), a.var(ddof=1), len(a)) for a in adjusted]
    else:
        # One sample of adjusted values: its variance is that of the union of both groups. With
        # theta given, each group's own variance is over its own n - 1.
        made = []
        for a, (_, _, k) in zip(adjusted, arms):
            groups = [a[k], a[~k]]
            made.append((a.mean(), a.var(ddof=1), len(a)))
            assert all(len(g) > 1 for g in groups)
    (m_c, s_c, n_c), (m_t, s_t, n_t) = made
    said = comparison(m_c + 1e9, s_c / n_c, n_c, m_t + 1e9, s_t / n_t, n_t)
    # At an offset of 1e9 the relative difference has few digits in doubles.
    said = {k: v for k, v in said.items() if not k.startswith("relative")}
    diff = m_t - m_c
    q = reach(clock(n_c, n_t)) * said["se"]
    e = ln_e(diff, said["se"], clock(n_c, n_t))
    said.update({"diff": diff, "ci_low": diff - q, "ci_high": diff + q, "log_e": e, "p_value": p_value(e)})
    said = {k: v for k, v in said.items() if not k.startswith("simultaneous")}
    plain = [np.var(y - 1e9, ddof=1) / len(y) for _, y, _ in arms]
    said["variance_reduction"] = 1 - said["se"] ** 2 / sum(plain)
    said.update(under("fixed", welch(*adjusted)))
    return {
        "name": f"CUPED at an offset of 1e9, {'two thirds' if partly else 'all'} with a covariate",
        # Values of 1e9 with two decimals have an error of 1e-7 each before anything is computed.
        "tolerance": 1e-6,
        "definition": definition([metric("m")]),
        "state": state(),
        "exposed": [[0, 0, n_c], [0, 1, n_t]],
        "units": [u for i, (x, y, k) in enumerate(arms)
                  for u in units_of(0, i, 0, y, None, [c if known else None for c, known in zip(x, k)])],
        "expected": under("/metrics/0/comparisons/0", said),
    }


def quantile():
    rng = np.random.default_rng(3)
    p, z = 0.9, 3.0
    arms = [np.minimum(2000, np.round(rng.lognormal(5 + 0.1 * i, 0.5, n))) for i, n in enumerate([1200, 1500])]

    def estimate(values):
        # The mean of the values at ranks np - h to np + h, and the width of that window.
        values, n = np.sort(values), len(values)
        h = z * math.sqrt(n * p * (1 - p))
        at = lambda rank: values[rank - 1]
        ranks = np.arange(1, n + 1)
        inside = np.minimum(ranks, n * p + h) - np.maximum(ranks - 1, n * p - h)
        value = np.average(values, weights=np.maximum(inside, 0))
        spread = (at(math.ceil(n * p + h)) - at(math.floor(n * p - h))) / (2 * z)
        width = 2.0 ** (math.floor(math.log2(at(math.ceil(round(n * p, 6))))) - 10)
        return value, spread**2 + width**2 / 12, n

    (m_c, v_c, n_c), (m_t, v_t, n_t) = (estimate(arm) for arm in arms)
    said = comparison(m_c, v_c, n_c, m_t, v_t, n_t)
    z_stat = said["diff"] / said["se"]
    q = stats.norm.isf(ALPHA / 2)
    said.update({
        "fixed/t": z_stat,
        "fixed/p_value": float(2 * stats.norm.sf(abs(z_stat))),
        "fixed/ci_low": said["diff"] - q * said["se"],
        "fixed/ci_high": said["diff"] + q * said["se"],
        "bayes/chance_to_win": float(stats.norm.cdf(-z_stat)),
    })
    return {
        "name": "a quantile of latencies",
        "definition": definition([metric("m", estimator="quantile", quantile=p, better="lower", kind="latency")]),
        "state": state(),
        "exposed": [[0, 0, n_c], [0, 1, n_t]],
        "units": [u for i, values in enumerate(arms) for u in units_of(0, i, 0, values)],
        "expected": {
            **under("/metrics/0/comparisons/0", said),
            "/metrics/0/variants/0/mean": float(np.sort(arms[0])[1079]),
            "/metrics/0/variants/1/mean": float(np.sort(arms[1])[1349]),
        },
    }


def families():
    rng = np.random.default_rng(4)
    sizes = [900, 1000, 1100]
    names = ["one", "two", "extra", "other"]
    shifts = [[0, 0.15, 0.02], [0, 0.19, -0.02], [0, 0.16, 0.0], [0, 0.0, 0.185]]
    data = [[np.round(rng.normal(10 + s, 1, n), 1) for s, n in zip(row, sizes)] for row in shifts]
    expected, raw = {}, {}
    for m, row in enumerate(data):
        for v in (1, 2):
            c, t = row[0], row[v]
            said = comparison(c.mean(), c.var(ddof=1) / len(c), len(c), t.mean(), t.var(ddof=1) / len(t), len(t),
                              family=4)
            said.update(under("fixed", welch(c, t)))
            expected.update(under(f"/metrics/{m}/comparisons/{v - 1}", said))
            raw[m, v] = said["p_value"]
    for members, method in (((0, 1), "holm"), ((2, 3), "fdr_bh")):
        keys = [(m, v) for m in members for v in (1, 2)]
        adjusted = multipletests([raw[k] for k in keys], alpha=ALPHA, method=method)[1]
        for (m, v), p in zip(keys, adjusted):
            expected[f"/metrics/{m}/comparisons/{v - 1}/p_adjusted"] = float(p)
            expected[f"/metrics/{m}/comparisons/{v - 1}/significant"] = bool(p < ALPHA)
    expected.update(under("/srm", srm(sizes, [1, 1, 1])))
    return {
        "name": "three variants, two primary and two secondary metrics",
        "definition": definition(
            [metric(n, role="primary" if i < 2 else "secondary") for i, n in enumerate(names)],
            variants=("control", "first", "second"),
        ),
        "state": state(weights=((1, 1, 1),)),
        "exposed": [[0, v, n] for v, n in enumerate(sizes)],
        "units": [u for m, row in enumerate(data) for v, values in enumerate(row) for u in counted(0, v, m, values)],
        "expected": expected,
    }


def simpson():
    # (n, successes) by epoch: worse in each, and better when thrown together.
    epochs = [[(9000, 900), (1000, 70)], [(1000, 300), (9000, 2400)]]
    weights, parts = [], []
    for (n_c, s_c), (n_t, s_t) in epochs:
        p_c, p_t = s_c / n_c, s_t / n_t
        weights.append(n_c * n_t / (n_c + n_t))
        parts.append((p_t - p_c, p_c, p_c * (1 - p_c) / n_c, p_t, p_t * (1 - p_t) / n_t))
    w = np.array(weights) / sum(weights)
    diff = sum(s * p[0] for s, p in zip(w, parts))
    m_c, v_c = sum(s * p[1] for s, p in zip(w, parts)), sum(s * s * p[2] for s, p in zip(w, parts))
    m_t, v_t = sum(s * p[3] for s, p in zip(w, parts)), sum(s * s * p[4] for s, p in zip(w, parts))
    se, t = math.sqrt(v_c + v_t), 4 * sum(weights)
    low, high = fieller(m_c, v_c, m_t, v_t, reach(t))
    # Cochran's test of several 2x2 tables, and Newcombe's intervals joined by squares.
    pooled, below, above = 0.0, 0.0, 0.0
    for share, ((n_c, s_c), (n_t, s_t)) in zip(w, epochs):
        p = (s_c + s_t) / (n_c + n_t)
        pooled += share**2 * p * (1 - p) * (1 / n_c + 1 / n_t)
        lo, hi = confint_proportions_2indep(s_t, n_t, s_c, n_c, method="newcomb", compare="diff")
        d = s_t / n_t - s_c / n_c
        below += (share * (d - lo)) ** 2
        above += (share * (hi - d)) ** 2
    z = diff / math.sqrt(pooled)
    said = {
        "diff": diff,
        "se": se,
        "ci_low": diff - reach(t) * se,
        "ci_high": diff + reach(t) * se,
        "log_e": ln_e(diff, se, t),
        "p_value": p_value(ln_e(diff, se, t)),
        "relative/ci_low": low,
        "relative/ci_high": high,
        "fixed/t": z,
        "fixed/p_value": float(2 * stats.norm.sf(abs(z))),
        "fixed/ci_low": diff - math.sqrt(below),
        "fixed/ci_high": diff + math.sqrt(above),
        "significant": True,
    }
    pools = [[sum(e[arm][k] for e in epochs) for k in (0, 1)] for arm in (0, 1)]
    assert pools[1][1] / pools[1][0] > pools[0][1] / pools[0][0] and diff < 0
    expected = under("/metrics/0/comparisons/0", said)
    expected["/metrics/0/variants/0/mean"] = pools[0][1] / pools[0][0]
    expected["/metrics/0/variants/1/mean"] = pools[1][1] / pools[1][0]
    tests = [stats.chisquare([c[0], t[0]], [9000, 1000] if i == 0 else [1000, 9000]) for i, (c, t) in enumerate(epochs)]
    expected["/srm/chi2"] = float(sum(t.statistic for t in tests))
    expected["/srm/df"] = 2
    expected.update({"/winner": "control", "/decision": "rollback"})
    return {
        "name": "epochs that throw together would say the opposite (Simpson's paradox)",
        "definition": definition([metric("m", estimator="proportion")]),
        "state": state(weights=((90, 10), (10, 90))),
        "exposed": [[e, v, arm[0]] for e, arms in enumerate(epochs) for v, arm in enumerate(arms)],
        "units": [[e, v, 0, value, 1, None, count] for e, arms in enumerate(epochs) for v, (n, s) in enumerate(arms)
                  for value, count in ((1, s), (0, n - s))],
        "expected": expected,
    }


def one_sided(alpha, t):
    u = t * rho2(2 * alpha)
    return math.sqrt(2 * (u + 1) / u * math.log(0.5 + math.sqrt(u + 1) / (2 * alpha)))


def canary():
    rng = np.random.default_rng(5)
    sizes = [9500, 500]
    arms = [np.round(rng.normal(200 + 12 * i, 20, n)) for i, n in enumerate(sizes)]
    c, t = arms
    diff, se = t.mean() - c.mean(), math.sqrt(c.var(ddof=1) / len(c) + t.var(ddof=1) / len(t))
    at = clock(*sizes)
    units = [u for v, values in enumerate(arms) for place in (0, 1, 2) for u in counted(0, v, place, values)]
    expected = under("/metrics/0/comparisons/0", comparison(
        c.mean(), c.var(ddof=1) / len(c), len(c), t.mean(), t.var(ddof=1) / len(t), len(t)))
    least = diff - one_sided(ALPHA, at) * se
    assert 5 < least < 10 < diff
    for place, (margin, verdict) in enumerate([(5.0, "breached"), (10.0, "doubt")]):
        expected.update(under(f"/guardrails/{place}", {
            "worse_by": diff, "worse_by_at_least": least, "verdict": verdict, "margin": margin}))
    expected.update(under("/srm", srm(sizes, [95, 5])))
    expected.update({"/winner": None, "/decision": "rollback"})
    return {
        "name": "a canary with 5 % of the traffic",
        "definition": definition(
            [metric("m", better="lower"),
             metric("narrow", better="lower", role="guardrail", margin=5.0),
             metric("middle", better="lower", role="guardrail", margin=10.0)],
            kind="canary", steps=[{"traffic": 5, "hold": "1h"}, {"traffic": 100}],
        ),
        "state": state(weights=((95, 5),)),
        "exposed": [[0, v, n] for v, n in enumerate(sizes)],
        "units": units,
        "expected": expected,
    }


def fixed_horizon():
    rng = np.random.default_rng(6)
    arms = [np.round(rng.normal(10 + 0.5 * i, 1 + i, n), 3) for i, n in enumerate([300, 200])]
    c, t = arms
    test = welch(c, t)
    said = under("fixed", test)
    said.update({key: test[key] for key in ("p_value", "ci_low", "ci_high")})
    low, high = fieller(c.mean(), c.var(ddof=1) / 300, t.mean(), t.var(ddof=1) / 200, stats.t.isf(ALPHA / 2, test["df"]))
    said.update({"relative/ci_low": low, "relative/ci_high": high})
    expected = under("/metrics/0/comparisons/0", said)
    expected.update({"/decision": "ship", "/winner": "variant"})
    return {
        "name": "a fixed horizon at its end",
        "definition": definition([metric("m")], analysis={"method": "fixed"}),
        "state": state(weights=((3, 2),), status="completed", ended_at=1_700_500_000_000),
        "exposed": [[0, 0, 300], [0, 1, 200]],
        "units": [u for i, values in enumerate(arms) for u in units_of(0, i, 0, values)],
        "expected": expected,
    }


def factors():
    rng = np.random.default_rng(7)
    levels = [("green", "short"), ("green", "long"), ("red", "short"), ("red", "long")]
    n = 400
    truth = [10.0, 10.1, 10.3, 11.2]
    arms = [np.round(rng.normal(m, 1, n), 1) for m in truth]
    y = np.concatenate(arms)
    red = np.repeat([float(c == "red") for c, _ in levels], n)
    long = np.repeat([float(t == "long") for _, t in levels], n)
    # Effects as coefficients of centred factors: means over the other factor, and the product.
    X = np.column_stack([np.ones(4 * n), red - 0.5, long - 0.5, (red - 0.5) * (long - 0.5)])
    params = OLS(y, X).fit().params
    v = np.array([a.var(ddof=1) / n for a in arms])
    contrasts = [np.array([-0.5, -0.5, 0.5, 0.5]), np.array([-0.5, 0.5, -0.5, 0.5]), np.array([1.0, -1, -1, 1])]
    names = ["button", "text", "button × text"]
    expected, raw = {}, []
    for place, (c, name, estimate) in enumerate(zip(contrasts, names, [params[1], params[2], params[3]])):
        se = math.sqrt((c**2 * v).sum())
        t = 4 / (c**2 / n).sum()
        e = ln_e(estimate, se, t)
        raw.append(p_value(e))
        expected.update(under(f"/effects/{place}", {
            "effect": name, "diff": estimate, "se": se, "p_value": p_value(e),
            "ci_low": estimate - reach(t) * se, "ci_high": estimate + reach(t) * se, "readiness": "ready"}))
    for place, p in enumerate(multipletests(raw, method="holm")[1]):
        expected[f"/effects/{place}/p_adjusted"] = float(p)
    variants = [{"name": f"{c}-{t}", "traffic_weight": 1, "is_control": i == 0,
                 "levels": {"button": c, "text": t}} for i, (c, t) in enumerate(levels)]
    made = definition([metric("m")], kind="multivariate", factors=[
        {"name": "button", "levels": ["green", "red"]}, {"name": "text", "levels": ["short", "long"]}])
    made["variants"] = variants
    return {
        "name": "two factors: main effects and their interaction",
        "definition": made,
        "state": state(weights=((1, 1, 1, 1),)),
        "exposed": [[0, i, n] for i in range(4)],
        "units": [u for i, values in enumerate(arms) for u in counted(0, i, 0, values)],
        "expected": expected,
    }


def main():
    cases = [conversions(), ratio(), cuped(False), cuped(True), quantile(), families(), simpson(), canary(),
             fixed_horizon(), factors()]
    path = pathlib.Path(__file__).with_name("analysis.json")
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases, {sum(len(c['expected']) for c in cases)} figures, {path.stat().st_size} bytes")


main()
