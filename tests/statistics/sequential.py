"""Figures for the sequential half of src/stats, from mpmath and scipy.

    python3 -m venv /tmp/pyenv && /tmp/pyenv/bin/pip install mpmath==1.3.0 scipy==1.17.1 numpy==2.4.6
    /tmp/pyenv/bin/python tests/statistics/sequential.py > tests/statistics/sequential.json

Formulas are written down again from the papers, in 60 digits, and share nothing with the Rust
code: confidence sequence arXiv 2103.06476 theorem 2.2, multinomial e-process arXiv 2011.03567
equation 6, chi-square scipy.stats.chisquare, quantile ranks Deng, Knoblich & Lu 2018.
"""
import json
import math

import mpmath as mp
import numpy as np
from scipy import stats

mp.mp.dps = 60


def sequence(diff, se, clock, alpha, n_star):
    d, s, n, a = map(mp.mpf, (diff, se, clock, alpha))
    rho2 = (-2 * mp.log(a) + mp.log(1 - 2 * mp.log(a))) / mp.mpf(n_star)
    # Theorem 2.2 as printed, for the mean of t numbers with deviation sigma: t = N and
    # sigma = se * sqrt(N) here.
    sigma = s * mp.sqrt(n)
    reach = sigma * mp.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * mp.log(mp.sqrt(n * rho2 + 1) / a))
    # The evidence as the mixture that it is, integrated: N(0, tau^2) over the effect.
    z = d / s
    tau2 = n * rho2
    closed = z**2 * tau2 / (2 * (tau2 + 1)) - mp.log(1 + tau2) / 2
    if abs(z) < 8:
        t = mp.sqrt(tau2)
        f = lambda x: mp.exp(z * t * x - t**2 * x**2 / 2) * mp.npdf(x)
        peak = z * t / (1 + tau2)
        wide = 12 / mp.sqrt(1 + tau2)
        integral = mp.log(mp.quad(f, mp.linspace(peak - wide, peak + wide, 9)))
        assert abs(integral - closed) < mp.mpf(10) ** -25, (integral, closed)
    rho2_one = (-2 * mp.log(2 * a) + mp.log(1 - 2 * mp.log(2 * a))) / mp.mpf(n_star)
    u = n * rho2_one
    lower = d - s * mp.sqrt(2 * (u + 1) / u * mp.log(mp.mpf(1) / 2 + mp.sqrt(u + 1) / (2 * a)))
    exact = mp.log(2) + mp.log(mp.ncdf(z * mp.sqrt(u / (u + 1)))) + z**2 * u / (2 * (u + 1)) - mp.log(1 + u) / 2
    return {
        "diff": diff, "se": se, "clock": clock, "alpha": alpha, "n_star": n_star,
        "low": float(d - reach), "high": float(d + reach), "ln_e": float(closed),
        "p": float(min(mp.mpf(1), mp.exp(-closed))),
        "one_sided_lower": float(lower), "half_normal_ln_e": float(exact),
    }


def multinomial(counts, weights, c):
    total = mp.fsum(map(mp.mpf, weights))
    c, n = mp.mpf(c), mp.mpf(sum(counts))
    ln_e = mp.loggamma(c) - mp.loggamma(c + n)
    for k, w in zip(counts, weights):
        w = mp.mpf(w) / total
        ln_e += mp.loggamma(c * w + k) - mp.loggamma(c * w) - k * mp.log(w)
    return {"counts": counts, "weights": weights, "c": float(c), "ln_e": float(ln_e)}


def chisquare(counts, weights):
    expected = np.array(weights) / sum(weights) * sum(counts)
    found = stats.chisquare(counts, expected)
    return {"counts": counts, "weights": weights, "chi2": float(found.statistic), "p": float(found.pvalue)}


def quantile(n, p, z=3.0):
    # Values 1..n in order: the value at a rank is the rank.
    h = z * math.sqrt(n * p * (1 - p))
    rank = math.ceil(mp.mpf(n) * mp.mpf(str(p)))
    low, high = math.floor(n * p - h), math.ceil(n * p + h)
    return {"n": n, "p": p, "z": z, "value": rank, "se": (high - low) / (2 * z)}


figures = {
    "sequence": [
        sequence(*a)
        for a in [
            (0.1, 0.05, 1000, 0.05, 5000), (0.25, 0.05, 5000, 0.05, 5000), (0.0, 1.0, 5000, 0.05, 5000),
            (-3.0, 0.4, 200, 0.01, 5000), (1e-6, 2e-7, 1e6, 0.05, 5000), (1e9, 3e8, 100, 0.1, 1000),
            (5.0, 0.01, 1e9, 0.001, 5000), (0.02, 0.01, 12345.5, 0.05 / 3, 20000), (-0.5, 0.25, 40, 0.2, 500),
        ]
    ],
    "multinomial": [
        multinomial(*a)
        for a in [
            ([5000, 5000], [0.5, 0.5], 10000), ([5200, 4800], [1, 1], 10000), ([821588, 815482], [0.5, 0.5], 10000),
            ([3, 0], [0.5, 0.5], 10), ([0, 0, 0], [1, 1, 1], 100), ([17, 983], [0.05, 0.95], 10),
            ([100, 210, 690], [0.1, 0.2, 0.7], 100), ([500000300000, 499999700000], [1, 1], 10000),
            ([1, 999999], [1e-6, 1], 10000), ([40, 12], [0.1, 0.9], 10),
        ]
    ],
    # 821,588 to 815,482 is the worked example of Kohavi, Tang & Xu, "Trustworthy Online
    # Controlled Experiments" (2020): p = 1.8e-6.
    "chisquare": [
        chisquare(*a)
        for a in [
            ([821588, 815482], [0.5, 0.5]), ([5000, 5000], [1, 1]), ([1000, 1100, 1200], [1, 1, 1]),
            ([90210, 9790], [9, 1]), ([16, 18, 16, 14, 12, 12], [1, 1, 1, 1, 1, 1]), ([60000, 40000], [1, 1]),
        ]
    ],
    "quantile": [
        quantile(*a)
        for a in [(100, 0.2), (1000, 0.5), (2001, 0.95), (2000, 0.99), (41, 0.5)]
    ],
}
print(json.dumps(figures, indent=1))
