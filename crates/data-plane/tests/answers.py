"""Answers questions with DuckDB: a folder of worlds comes in, each with one file of rows per table and one of
questions; for each question one line of JSON goes out."""

import json
import sys
from pathlib import Path

import duckdb

folder = Path(sys.argv[1])
tables = json.loads((folder / "tables.json").read_text())
for world in sorted(path for path in folder.iterdir() if path.is_dir()):
    db = duckdb.connect()
    for table, columns in tables.items():
        types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
        db.execute(f"CREATE TABLE {table} AS SELECT * FROM read_json('{world / table}.json', format = 'newline_delimited', columns = {{{types}}})")
    with open(world / "answers.json", "w") as answers:
        for line in (world / "questions.json").read_text().splitlines():
            try:
                answer = db.execute(json.loads(line)).fetchall()
            except duckdb.Error as error:
                answer = str(error)
            answers.write(json.dumps(answer, default=str) + "\n")
