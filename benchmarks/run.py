"""Imports, protected questions, and the same work in DuckDB, on one machine in one run.

    python3 -m venv venv && venv/bin/pip install -r benchmarks/requirements.txt
    cargo build --release
    venv/bin/python benchmarks/run.py --size small     # 1 M rows, 50 k people, 1 M stream events
                                      --size medium    # 10 M rows, 300 k people
                                      --size large     # 50 M rows, 1 M people

Writes a table to stdout and `results-SIZE.json`, `results-SIZE.svg` into the work folder. CPU seconds
are those of the whole command for us (process start, store, two durable commits), and those of the
query alone, warm, in an open process for DuckDB: where that favours anybody, it favours DuckDB.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import duckdb

import generate

SIZES = {"tiny": (50_000, 2_000), "small": (1_000_000, 50_000), "medium": (10_000_000, 300_000), "large": (50_000_000, 1_000_000)}
EVENTS = {"tiny": 50_000}

MAPPING = """schema = 1
table = "activity"
platform = "csv"

[columns]
account = "account"
native_key = "native_key"
kind = "kind"
at = "at"
language = "language"
word_count = "word_count"
likes_received = "likes"
container = "topic"
"""

PERSONS = """schema = 1
table = "subject"
platform = "csv"

[columns]
account = "account"
country = "country"
age_band = "age_band"
"""


def hand(key, value, join=""):
    """The bounding of the clean room as a good engineer would write it in SQL: at most 16 groups a
    person, each person's value in a group clamped."""
    return f"""WITH per AS (SELECT account, {key} AS k, {value} AS n FROM acts JOIN permitted USING (account) {join} GROUP BY ALL),
        kept AS (SELECT * FROM per QUALIFY row_number() OVER (PARTITION BY account ORDER BY hash(account, k)) <= 16)
        SELECT k, sum(n), count(*) FROM kept GROUP BY k"""


# name, ours, DuckDB over the imported rows, DuckDB with the same bounds
QUESTIONS = [
    ("count by kind", "SELECT kind, count(*) AS n FROM activity GROUP BY kind",
     "SELECT kind, count(*) FROM acts GROUP BY kind", hand("kind", "least(count(*), 50)")),
    ("sum of words by language", "SELECT language, sum(word_count) AS n FROM activity GROUP BY language",
     "SELECT language, sum(word_count) FROM acts GROUP BY language", hand("language", "least(sum(word_count), 2000)")),
    ("count by topic (2,000)", "SELECT container, count(*) AS n FROM activity GROUP BY container",
     "SELECT topic, count(*) FROM acts GROUP BY topic", hand("topic", "least(count(*), 50)")),
    ("people by month, posts only", "SELECT month, count(distinct subject_id) AS n FROM activity WHERE kind = 'post' GROUP BY month",
     "SELECT date_trunc('month', \"at\") m, count(DISTINCT account) FROM acts WHERE kind = 'post' GROUP BY m", hand("date_trunc('month', \"at\")", "1", "WHERE kind = 'post'")),
    ("average words by kind", "SELECT kind, avg(word_count) AS n FROM activity GROUP BY kind",
     "SELECT kind, avg(word_count) FROM acts GROUP BY kind", hand("kind", "least(sum(word_count), 2000)")),
    ("count by country and age (join)", "SELECT country, age_band, count(*) AS n FROM activity JOIN subject USING (subject_id) GROUP BY country, age_band",
     "SELECT country, age_band, count(*) FROM acts JOIN persons USING (account) GROUP BY ALL", hand("(country, age_band)", "least(count(*), 50)", "JOIN persons USING (account)")),
]


class Peak(threading.Thread):
    """The peak memory of a process in MB, as the system tells while it runs: the peak that is told at
    its end includes what its parent held when it was forked."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status, self.mb, self.running = pathlib.Path(f"/proc/{pid}/status"), 0, True
        self.start()

    def run(self):
        while self.running:
            try:
                text = self.status.read_text()
            except OSError:
                return
            if "\nVmHWM:" in text and not text.startswith("Name:\tsh\n") and not text.startswith("Name:\tpython"):
                self.mb = int(text.split("\nVmHWM:")[1].split()[0]) / 1024
            time.sleep(0.005)

    def stop(self):
        self.running = False
        self.join()
        return self.mb


def measured(command, **kwargs):
    """Runs a command; its CPU seconds, wall seconds, peak memory in MB, and stdout."""
    begin = time.monotonic()
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    peak = Peak(child.pid)
    out, err = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command}: {err.decode()[-2000:]}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.monotonic() - begin, "mb": peak.stop()}, out


def duck(sql, setup=(), rounds=3):
    """CPU and wall seconds of a statement in DuckDB with two threads; the best of some rounds."""
    best = {"cpu": float("inf"), "wall": float("inf")}
    db = duckdb.connect()
    db.execute("SET threads = 2")
    for statement in setup:
        db.execute(statement)
    for _ in range(rounds):
        wall, cpu = time.monotonic(), time.process_time()
        db.execute(sql).fetchall()
        best = min(best, {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}, key=lambda m: m["cpu"])
    db.close()
    return best


def make(path, maker):
    """A file of the benchmark, made once: half of one is never taken for a whole one."""
    if not path.exists():
        half = path.with_name("half-" + path.name)
        maker(half)
        half.rename(path)
    return path


class Deployment:
    """A deployment of the binary under test."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        shutil.rmtree(folder, ignore_errors=True)
        self.run("init", "--subject-rho", "1000", "--subject-delta", "1e-3", "--lifetime-rho", "10000")

    def run(self, *command):
        return measured([self.binary, "--data", self.folder, "--json", *command])

    def lake_mb(self):
        return sum(f.stat().st_size for f in (self.folder / "lake").rglob("*.parquet")) / 1e6


def imports(binary, work, size, seed):
    """Stream events beside DuckDB's JSON reader, both into their own tables."""
    count = EVENTS.get(size, 1_000_000)
    file = make(work / f"events-{count}.ndjson", lambda path: generate.events(path, count, min(50_000, count // 20), seed))
    best = None
    for _ in range(3):
        deployment = Deployment(binary, work / "deployment-events")
        measure, _ = deployment.run("import", file)
        best = measure if best is None else min(best, measure, key=lambda m: m["cpu"])
    commit = "STRUCT(operation VARCHAR, collection VARCHAR, rkey VARCHAR, record STRUCT(\"createdAt\" VARCHAR, text VARCHAR, langs VARCHAR[]))"
    return {
        "events": count,
        "bytes": file.stat().st_size,
        "ours": best,
        "inferred": duck(f"CREATE OR REPLACE TABLE events AS SELECT * FROM read_json('{file}')"),
        # What an import does as well: compressed, by account, on disk.
        "written": duck(f"COPY (SELECT * FROM read_json('{file}') ORDER BY did) TO '{work / 'events.parquet'}' (FORMAT parquet, COMPRESSION zstd)"),
        "typed": duck(f"CREATE OR REPLACE TABLE events AS SELECT * FROM read_json('{file}', columns = {{did: 'VARCHAR', time_us: 'BIGINT', kind: 'VARCHAR', commit: '{commit}'}})"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--binary", default=None, help="the release binary; target/release/fairshare when not given")
    parser.add_argument("--work", default="target/benchmarks", help="folder for data and results")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--skip-hand", action="store_true", help="leave out the hand-bounded SQL, which needs gigabytes")
    args = parser.parse_args()
    rows, people = SIZES[args.size]
    binary = pathlib.Path(args.binary or pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release/fairshare").resolve()
    work = pathlib.Path(args.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    db = duckdb.connect()
    acts = make(work / f"acts-{args.size}.parquet", lambda path: generate.acts(db, path, rows, people, args.seed))
    persons = make(work / f"persons-{args.size}.parquet", lambda path: generate.persons(db, path, people, args.seed))
    db.close()
    acts.with_suffix(".mapping.toml").write_text(MAPPING)
    persons.with_suffix(".mapping.toml").write_text(PERSONS)
    result = {"size": args.size, "rows": rows, "people": people, "stream": imports(binary, work, args.size, args.seed), "questions": []}

    deployment = Deployment(binary, work / f"deployment-{args.size}")
    run = deployment.run
    result["import"], said = run("import", acts)
    result["import"]["rows_per_cpu_second"] = rows / result["import"]["cpu"]
    result["import"]["lake_mb"] = deployment.lake_mb()
    named = json.loads(said)["sources"][0]["subjects"]
    run("import", persons)
    run("lake", "publish")
    run("partner", "add", "bench", "--legal-name", "Benchmark", "--lifetime-rho", "1000")
    run("partner", "approve", "bench")
    run("agreement", "add", "bench-1", "--partner", "bench", "--purpose", "aggregate_statistics", "--rho", "1000")
    run("agreement", "approve", "bench-1")
    run("agreement", "activate", "bench-1")
    notice = work / "notice.txt"
    notice.write_text("May we count you?")
    run("notice", "publish", "bench", "--text", notice, "--purpose", "aggregate_statistics", "--partner", "bench")
    choices = work / "choices.csv"
    with choices.open("w") as file:
        file.write("subject,partner,purpose,action,notice\n")
        file.writelines(f"{subject},bench,aggregate_statistics,give,bench\n" for subject in range(named) if subject % 10 != 0)
    result["choices"], _ = run("consent", "import", choices)
    result["choices"]["per_cpu_second"] = (named * 9 // 10) / result["choices"]["cpu"]
    views = [
        f"CREATE VIEW acts AS SELECT * FROM '{acts}'",
        f"CREATE VIEW persons AS SELECT * FROM '{persons}'",
        "CREATE TABLE permitted AS SELECT DISTINCT account FROM acts WHERE hash(account) % 10 <> 0",
    ]
    for name, ours, plain, bounded in QUESTIONS:
        best = min((run("query", "--partner", "bench", "--purpose", "aggregate_statistics", "--rho", "0.5", "--fresh", ours)[0] for _ in range(3)), key=lambda m: m["cpu"])
        line = {"question": name, "ours": best, "duckdb": duck(plain, views), "hand": None if args.skip_hand else duck(bounded, views, rounds=1)}
        line["ratio"] = best["cpu"] / line["duckdb"]["cpu"]
        result["questions"].append(line)
        print(f"{name}: {best['cpu']:.2f} CPU s, {line['ratio']:.2f} × DuckDB", file=sys.stderr)
    result["erase"], _ = run("subject", "erase", str(named // 2))
    report(result, work)


def report(result, work):
    print(f"\n{result['rows']:,} rows, {result['people']:,} people\n")
    print("| | CPU s | wall s | peak MB | |\n| --- | ---: | ---: | ---: | --- |")
    one = lambda name, m, note="": print(f"| {name} | {m['cpu']:.2f} | {m['wall']:.2f} | {m.get('mb', 0):.0f} | {note} |")
    one("import of Parquet", result["import"], f"{result['import']['rows_per_cpu_second']:,.0f} rows per CPU s, {result['import']['lake_mb']:.0f} MB in the lake")
    stream = result["stream"]
    one(f"import of {stream['events']:,} stream events", stream["ours"], f"{stream['events'] / stream['ours']['cpu']:,.0f} per CPU s, {stream['inferred']['cpu'] / stream['ours']['cpu']:.2f} × DuckDB's speed with inferred types")
    one("read by DuckDB into memory, types inferred", stream["inferred"])
    one("the same, written to Parquet by account", stream["written"], f"{stream['written']['cpu'] / stream['ours']['cpu']:.2f} × what our import takes")
    one("read by DuckDB into memory, types given", stream["typed"])
    one("choices", result["choices"], f"{result['choices']['per_cpu_second']:,.0f} per CPU s")
    one("erasing one person", result["erase"])
    print("\n| question | protected, CPU s | peak MB | DuckDB unprotected | ratio | DuckDB bounded by hand |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for q in result["questions"]:
        bounded = "–" if q["hand"] is None else f"{q['hand']['cpu']:.2f}"
        print(f"| {q['question']} | {q['ours']['cpu']:.2f} | {q['ours']['mb']:.0f} | {q['duckdb']['cpu']:.2f} | {q['ratio']:.2f} | {bounded} |")
    (work / f"results-{result['size']}.json").write_text(json.dumps(result, indent=1))
    plot(result, work / f"results-{result['size']}.svg")


def plot(result, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5))
    names = [q["question"] for q in result["questions"]]
    places = range(len(names))
    for shift, (label, values) in enumerate([
        ("DuckDB, unprotected", [q["duckdb"]["cpu"] for q in result["questions"]]),
        ("Fairshare, protected (whole command)", [q["ours"]["cpu"] for q in result["questions"]]),
        ("DuckDB, bounded by hand", [(q["hand"] or {"cpu": 0})["cpu"] for q in result["questions"]]),
    ]):
        axes.barh([p + (shift - 1) * 0.27 for p in places], values, height=0.25, label=label)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"CPU seconds over {result['rows']:,} rows")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


main()
