"""Checks checkpoints, proofs and consent receipts with nothing but Python's standard library.

Written from RFC 6962, RFC 8032 and C2SP signed-note / tlog-checkpoint. Reads one JSON object per line:
{vkey, note, leaf, inclusion, consistency, old_root, honest}; says whether it agrees with `honest`.
With a file of the verifier key and a receipt, `verify.py receipt KEY RECEIPT` prints what was signed.
An auditor can use the functions as they are.
"""
import base64
import hashlib
import json
import sys

# Ed25519 (RFC 8032, section 5.1): verification only, plain and slow.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point = add(point, point)
        n >>= 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(key, message, signature):
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def signed_text(vkey, note):
    """The text that the key's holder signed, or None."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    if hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id or key[0] != 1:
        return None
    text, signatures = note.split("\n\n", 1)
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and blob[:4].hex() == key_id:
            return text + "\n" if ed25519_verify(key[1:], text.encode() + b"\n", blob[4:]) else None
    return None


def open_note(vkey, note):
    """The (origin, size, root) of the checkpoint that the key's holder signed, or None."""
    text = signed_text(vkey, note)
    if text is None:
        return None
    origin, size, root = text.removesuffix("\n").split("\n")
    return origin, int(size), base64.b64decode(root)


def open_receipt(vkey, note):
    """The consent receipt that the key's holder signed, or None."""
    text = signed_text(vkey, note)
    header, _, receipt = (text or "").partition("\n")
    return json.loads(receipt) if header == "consent-receipt/1" else None


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_inclusion(leaf, index, size, hashes):
    """Follows the recursion of RFC 6962 section 2.1.1 backwards."""
    def climb(n, m, path):
        if n == 1:
            return leaf if not path else None
        if not path:
            return None
        k = 1 << ((n - 1).bit_length() - 1)
        inner = climb(k, m, path[:-1]) if m < k else climb(n - k, m - k, path[:-1])
        if inner is None:
            return None
        return node(inner, path[-1]) if m < k else node(path[-1], inner)

    return climb(size, index, hashes)


def roots_from_consistency(old_size, new_size, old_root, hashes):
    """(old root, new root) by the recursion of RFC 6962 section 2.1.2 backwards."""
    def climb(m, n, whole, path):
        if m == n:
            if whole:
                return (old_root, old_root) if not path else None
            return (path[0], path[0]) if len(path) == 1 else None
        if not path:
            return None
        k = 1 << ((n - 1).bit_length() - 1)
        if m <= k:
            inner = climb(m, k, whole, path[:-1])
            return inner and (inner[0], node(inner[1], path[-1]))
        inner = climb(m - k, n - k, False, path[:-1])
        return inner and (node(path[-1], inner[0]), node(path[-1], inner[1]))

    return climb(old_size, new_size, True, hashes)


def verifies(case):
    opened = open_note(case["vkey"], case["note"])
    if opened is None:
        return False
    _, size, root = opened
    inclusion, consistency = case["inclusion"], case["consistency"]
    hashes = [bytes.fromhex(h) for h in inclusion["hashes"]]
    if inclusion["size"] != size or root_from_inclusion(bytes.fromhex(case["leaf"]), inclusion["index"], size, hashes) != root:
        return False
    old_root = bytes.fromhex(case["old_root"])
    hashes = [bytes.fromhex(h) for h in consistency["hashes"]]
    return roots_from_consistency(consistency["old_size"], size, old_root, hashes) == (old_root, root)


if __name__ == "__main__":
    if sys.argv[1:2] == ["receipt"]:
        vkey, note = (open(path, encoding="utf-8", newline="").read() for path in sys.argv[2:4])
        receipt = open_receipt(vkey.strip(), note)
        if receipt is None:
            sys.exit("not a receipt that this key signed")
        print(json.dumps(receipt, indent=2, ensure_ascii=False))
        sys.exit()
    cases = [json.loads(line) for line in sys.stdin]
    for number, case in enumerate(cases):
        if verifies(case) != case["honest"]:
            sys.exit(f"case {number}: expected {case['honest']}")
    print(len(cases), "cases agree")
