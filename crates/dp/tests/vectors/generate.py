"""Writes zcdp.json: (ε, δ) of compositions of Gaussian events by Google's dp-accounting.

pip install dp-accounting; python generate.py > zcdp.json
A Gaussian event with noise multiplier σ is ρ-zCDP with ρ = 1/(2σ²).
"""
import json
import math
import random
import sys

import dp_accounting
from dp_accounting import pld, rdp

SEED = 20261124
rng = random.Random(SEED)
cases = []
for _ in range(240):
    rhos = [int(10 ** rng.uniform(5.0, 8.5)) for _ in range(rng.choice([1, 1, 2, 3, 5, 8]))]
    delta = rng.choice(["1e-5", "1e-6", "1e-8", "1e-9"])
    rdp_accountant = rdp.RdpAccountant(orders=[1 + 10 ** (k / 40) for k in range(-80, 121)])
    for rho in rhos:
        rdp_accountant.compose(dp_accounting.GaussianDpEvent(1 / math.sqrt(2 * rho * 1e-9)))
    # Gaussian events compose to one Gaussian event, whose exact δ(ε) is known (Balle & Wang 2018).
    mu = math.sqrt(2 * sum(rhos) * 1e-9)
    exact = dp_accounting.get_epsilon_gaussian(1 / mu, float(delta))
    cases.append({"rho_nano": rhos, "delta": delta, "epsilon_pld": exact, "epsilon_rdp": rdp_accountant.get_epsilon(float(delta))})
json.dump({"source": "dp-accounting " + dp_accounting.__dict__.get("__version__", ""), "seed": SEED, "cases": cases}, sys.stdout, indent=0)
