"""Synthetic data for benchmarks: heavy tails, nobody real, the same for the same seed."""

import json
import random

WORDS = "the of a to and in is for on that it with as was at by this be are from or an not have but you all we they can will one about more when out up so time if my what which me their some into just like make see over know new good first people work day life".split()
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"


def acts(db, path, rows, people, seed):
    """Acts as Parquet: few people do most, few topics get most."""
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


def persons(db, path, people, seed):
    """What is known of the people of `acts`."""
    db.execute(f"SELECT setseed({(seed % 1000) / 1000})")
    db.execute(f"""
        COPY (
            SELECT 'p' || i AS account,
                   (['DE', 'FR', 'PT', 'JP', 'US', 'GB', 'BR', 'IN', 'NG', 'PL'])[1 + floor(10 * pow(random(), 1.5))::INT] AS country,
                   (['18_24', '25_34', '25_34', '35_44', '45_54', '55_64', '65_plus'])[1 + (hash(i) % 7)::INT] AS age_band
            FROM range({people}) r(i)
        ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)""")


def identifier(n, length):
    """A number as letters and digits, scattered."""
    n = n * 0x9E3779B97F4A7C15 % (1 << 64)
    letters = []
    for _ in range(length):
        letters.append(ALPHABET[n & 31])
        n = (n >> 5 | n << 59) % (1 << 64) ^ len(letters)
    return "".join(letters)


def events(path, count, people, seed):
    """Events as the Jetstream service sends them, one JSON object per line: mostly likes, some posts
    with texts, tags and links, a few deletions and updates."""
    rng = random.Random(seed)
    dids = [f"did:plc:{identifier(n + 1, 24)}" for n in range(people)]
    somebody = lambda: dids[int(people * rng.random() ** 2.2)]
    uri = lambda collection: f"at://{somebody()}/{collection}/{identifier(rng.getrandbits(60), 13)}"
    cid = lambda: "bafyrei" + identifier(rng.getrandbits(60), 52)
    done = []
    with open(path, "w") as file:
        for n in range(count):
            at = 1_735_689_600_000_000 + n * 400_000
            created = f"2025-01-{1 + n * 28 // count:02}T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}.{n % 1000:03}Z"
            did, rkey, draw = somebody(), "3l" + identifier(n + 1, 11), rng.random()
            record, operation = None, "create"
            if draw < 0.66:
                collection = "app.bsky.feed.like"
                record = {"$type": collection, "createdAt": created, "subject": {"cid": cid(), "uri": uri("app.bsky.feed.post")}}
            elif draw < 0.84:
                collection = "app.bsky.feed.post"
                text = " ".join(rng.choices(WORDS, k=int(3 + 40 * rng.random() ** 2)))
                record = {"$type": collection, "createdAt": created, "langs": [rng.choice(["en", "en", "en", "de", "pt", "ja"])], "text": text}
                if rng.random() < 0.3:
                    tag = f"topic{int(2000 * rng.random() ** 2)}"
                    start = len(text) + 1
                    record["text"] = f"{text} #{tag}"
                    record["facets"] = [{"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": tag}], "index": {"byteEnd": start + len(tag) + 1, "byteStart": start}}]
                if rng.random() < 0.4:
                    record["reply"] = {"parent": {"cid": cid(), "uri": uri(collection)}, "root": {"cid": cid(), "uri": uri(collection)}}
                elif rng.random() < 0.3:
                    record["embed"] = {"$type": "app.bsky.embed.external", "external": {"description": "", "title": text[:30], "uri": f"https://site{n % 500}.example/a/{n}"}}
            elif draw < 0.93:
                collection = "app.bsky.feed.repost"
                record = {"$type": collection, "createdAt": created, "subject": {"cid": cid(), "uri": uri("app.bsky.feed.post")}}
            elif draw < 0.97:
                collection = "app.bsky.graph.follow"
                record = {"$type": collection, "createdAt": created, "subject": somebody()}
            elif done:
                did, collection, rkey = done.pop(rng.randrange(len(done)))
                operation = "delete"
            else:
                continue
            commit = {"rev": "3l" + identifier(n, 11), "operation": operation, "collection": collection, "rkey": rkey}
            if record:
                commit |= {"record": record, "cid": cid()}
                if rng.random() < 0.05:
                    done.append((did, collection, rkey))
            file.write(json.dumps({"did": did, "time_us": at, "kind": "commit", "commit": commit}, separators=(",", ":")) + "\n")
