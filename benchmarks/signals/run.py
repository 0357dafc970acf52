"""Reading TCF consent strings: ours beside IAB's JavaScript library, the same strings in one run.

    python3 benchmarks/signals/run.py

Needs Node, and the packages of crates/signal/tests/npm in the folder that FAIRSHARE_NODE_MODULES names
(`.ci/run` installs them; default ~/.cache/fairshare/node). Prints a table of CPU microseconds for one string,
best of three rounds of a second each; IAB's library is warmed up for a second before. Both sides take turns twice.
"""

import json
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODULES = os.environ.get("FAIRSHARE_NODE_MODULES") or str(CACHE / "fairshare" / "node")
BENCH = ["cargo", "bench", "--quiet", "-p", "signal", "--bench", "decode", "--"]


def lines(command):
    output = subprocess.run(command, cwd=HERE.parent.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line["kind"]: line for line in map(json.loads, output.splitlines())}


with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "strings.tsv")
    subprocess.run([*BENCH, "--write", file], cwd=HERE.parent.parent, check=True)
    rounds = [(lines(BENCH), lines(["node", str(HERE / "decode.mjs"), MODULES, file])) for _ in range(2)]

print("| strings | letters | IAB's library, CPU µs | ours, CPU µs | ratio |")
print("| --- | ---: | ---: | ---: | ---: |")
for kind in rounds[0][0]:
    ours = min(of[kind]["cpu_micros"] for of, _ in rounds)
    theirs = min(of[kind]["cpu_micros"] for _, of in rounds)
    print(f"| {kind} | {rounds[0][0][kind]['letters']} | {theirs:.1f} | {ours:.2f} | {theirs / ours:.0f} |")
