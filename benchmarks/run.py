"""Imports, protected questions, and the same questions in DuckDB, on one machine in one run.

    python3 -m venv venv && venv/bin/pip install -r benchmarks/requirements.txt
    cargo build --release
    venv/bin/python benchmarks/run.py --size small     # 1 M rows, 50 k people
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
import time

import duckdb

SIZES = {"tiny": (50_000, 2_000), "small": (1_000_000, 50_000), "medium": (10_000_000, 300_000), "large": (50_000_000, 1_000_000)}
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

# name, ours, DuckDB over the imported rows, DuckDB with the same bounds written by hand
QUESTIONS = [
    ("count by kind", "SELECT kind, count(*) AS n FROM activity GROUP BY kind", "SELECT kind, count(*) FROM acts GROUP BY kind",
     "WITH per AS (SELECT account, kind, least(count(*), 50) AS n FROM acts JOIN permitted USING (account) GROUP BY ALL), kept AS (SELECT * FROM per QUALIFY row_number() OVER (PARTITION BY account ORDER BY hash(account, kind)) <= 16) SELECT kind, sum(n) FROM kept GROUP BY kind"),
    ("sum of words by language", "SELECT language, sum(word_count) AS n FROM activity GROUP BY language", "SELECT language, sum(word_count) FROM acts GROUP BY language",
     "WITH per AS (SELECT account, language, least(sum(word_count), 2000) AS n FROM acts JOIN permitted USING (account) GROUP BY ALL), kept AS (SELECT * FROM per QUALIFY row_number() OVER (PARTITION BY account ORDER BY hash(account, language)) <= 16) SELECT language, sum(n), count(*) FROM kept GROUP BY language"),
    ("count by topic (2,000)", "SELECT container, count(*) AS n FROM activity GROUP BY container", "SELECT topic, count(*) FROM acts GROUP BY topic",
     "WITH per AS (SELECT account, topic, least(count(*), 50) AS n FROM acts JOIN permitted USING (account) GROUP BY ALL), kept AS (SELECT * FROM per QUALIFY row_number() OVER (PARTITION BY account ORDER BY hash(account, topic)) <= 16) SELECT topic, sum(n), count(*) FROM kept GROUP BY topic"),
    ("people by month, posts only", "SELECT month, count(distinct subject_id) AS n FROM activity WHERE kind = 'post' GROUP BY month",
     "SELECT date_trunc('month', \"at\") m, count(DISTINCT account) FROM acts WHERE kind = 'post' GROUP BY m",
     "WITH per AS (SELECT DISTINCT account, date_trunc('month', \"at\") m FROM acts JOIN permitted USING (account) WHERE kind = 'post'), kept AS (SELECT * FROM per QUALIFY row_number() OVER (PARTITION BY account ORDER BY hash(account, m)) <= 16) SELECT m, count(*) FROM kept GROUP BY m"),
]


def measured(command, **kwargs):
    """Runs a command; its CPU seconds, wall seconds, peak memory in MB, and stdout."""
    begin = time.monotonic()
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    out, err = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command}: {err.decode()[-2000:]}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.monotonic() - begin, "mb": usage.ru_maxrss / 1024}, out


def generate(path, rows, people, seed):
    """Acts with a heavy tail: few people do most, few topics get most."""
    db = duckdb.connect()
    db.execute("SET threads = 2")
    db.execute(f"SELECT setseed({(seed % 1000) / 1000})")
    db.execute(f"""
        COPY (
            SELECT 'p' || least({people} - 1, floor({people} * pow(random(), 2.2)))::BIGINT AS account,
                   'k' || i AS native_key,
                   (['post', 'like', 'like', 'like', 'reply', 'share', 'follow', 'view'])[1 + (hash(i) % 8)::INT] AS kind,
                   TIMESTAMP '2024-01-01' + to_seconds((random() * 31536000)::BIGINT) AS "at",
                   (['en', 'en', 'en', 'de', 'fr', 'pt', 'ja', NULL])[1 + (hash(i + 7) % 8)::INT] AS language,
                   (1 + 40 * random() * random())::INT AS word_count,
                   (100 * pow(random(), 6))::INT AS likes,
                   't' || floor(2000 * pow(random(), 2))::INT AS topic
            FROM range({rows}) r(i)
        ) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)""")
    db.close()


def duck(db, sql):
    """CPU seconds of a query, best of three."""
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        db.execute(sql).fetchall()
        best = min(best, time.process_time() - begin)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--binary", default=None, help="the release binary; target/release/fairshare when not given")
    parser.add_argument("--work", default="target/benchmarks", help="folder for data and results")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--skip-hand", action="store_true", help="leave out the hand-bounded SQL, which needs gigabytes")
    args = parser.parse_args()
    rows, people = SIZES[args.size]
    binary = pathlib.Path(args.binary or pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release/fairshare")
    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    source, data = work / f"acts-{args.size}.parquet", work / f"deployment-{args.size}"
    if not source.exists():
        generate(source, rows, people, args.seed)
    source.with_suffix(".mapping.toml").write_text(MAPPING)
    shutil.rmtree(data, ignore_errors=True)
    run = lambda *command: measured([binary, "--data", data, "--json", *command])
    run("init", "--subject-rho", "1000", "--subject-delta", "1e-3", "--lifetime-rho", "10000")
    result = {"size": args.size, "rows": rows, "people": people, "import": {}, "questions": []}
    result["import"], said = run("import", source)
    said = json.loads(said)
    result["import"]["rows_per_cpu_second"] = rows / result["import"]["cpu"]
    files = sum(f.stat().st_size for f in (data / "lake").rglob("*.parquet"))
    result["import"]["lake_mb"] = files / 1e6
    run("partner", "add", "bench", "--legal-name", "Benchmark", "--lifetime-rho", "1000")
    run("partner", "approve", "bench")
    run("agreement", "add", "bench-1", "--partner", "bench", "--purpose", "aggregate_statistics", "--rho", "1000")
    run("agreement", "approve", "bench-1")
    run("agreement", "activate", "bench-1")
    notice = work / "notice.txt"
    notice.write_text("May we count you?")
    run("notice", "publish", "bench", "--text", notice, "--purpose", "aggregate_statistics", "--partner", "bench")
    named = said["sources"][0]["subjects"]
    choices = work / "choices.csv"
    with choices.open("w") as file:
        file.write("subject,partner,purpose,action,notice\n")
        file.writelines(f"{subject},bench,aggregate_statistics,give,bench\n" for subject in range(named) if subject % 10 != 0)
    result["choices"], _ = run("consent", "import", choices)
    result["choices"]["per_cpu_second"] = (named * 9 // 10) / result["choices"]["cpu"]
    db = duckdb.connect()
    db.execute("SET threads = 2")
    db.execute(f"CREATE VIEW acts AS SELECT * FROM '{source}'")
    db.execute(f"CREATE TABLE permitted AS SELECT DISTINCT account FROM acts WHERE hash(account) % 10 <> 0")
    for name, ours, plain, hand in QUESTIONS:
        best = min((run("query", "--partner", "bench", "--purpose", "aggregate_statistics", "--rho", "0.5", "--fresh", ours)[0] for _ in range(3)), key=lambda m: m["cpu"])
        line = {"question": name, "ours": best, "duckdb": duck(db, plain), "hand": None if args.skip_hand else duck(db, hand)}
        line["ratio"] = best["cpu"] / line["duckdb"]
        result["questions"].append(line)
    result["erase"], _ = run("subject", "erase", str(named // 2))
    report(result, work)


def report(result, work):
    print(f"\n{result['rows']:,} rows, {result['people']:,} people\n")
    print("| | CPU s | wall s | peak MB | |\n| --- | ---: | ---: | ---: | --- |")
    one = lambda name, m, note: print(f"| {name} | {m['cpu']:.2f} | {m['wall']:.2f} | {m['mb']:.0f} | {note} |")
    one("import of Parquet", result["import"], f"{result['import']['rows_per_cpu_second']:,.0f} rows per CPU s, {result['import']['lake_mb']:.0f} MB in the lake")
    one("choices", result["choices"], f"{result['choices']['per_cpu_second']:,.0f} per CPU s")
    one("erasing one person", result["erase"], "")
    print("\n| question | protected, CPU s | peak MB | DuckDB unprotected | ratio | DuckDB bounded by hand |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for q in result["questions"]:
        hand = "–" if q["hand"] is None else f"{q['hand']:.2f}"
        print(f"| {q['question']} | {q['ours']['cpu']:.2f} | {q['ours']['mb']:.0f} | {q['duckdb']:.2f} | {q['ratio']:.2f} | {hand} |")
    (work / f"results-{result['size']}.json").write_text(json.dumps(result, indent=1))
    plot(result, work / f"results-{result['size']}.svg")


def plot(result, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4))
    names = [q["question"] for q in result["questions"]]
    places = range(len(names))
    for shift, (label, values) in enumerate([
        ("DuckDB, unprotected", [q["duckdb"] for q in result["questions"]]),
        ("Fairshare, protected", [q["ours"]["cpu"] for q in result["questions"]]),
        ("DuckDB, bounded by hand", [q["hand"] or 0 for q in result["questions"]]),
    ]):
        axes.barh([p + (shift - 1) * 0.27 for p in places], values, height=0.25, label=label)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"CPU seconds over {result['rows']:,} rows")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


main()
