"""Signs mail with dkimpy: reads a JSON line {key, algo, canon, mail}, writes {mail}."""
import json
import sys

import dkim

for line in sys.stdin:
    job = json.loads(line)
    header, body = job["canon"].split("/")
    mail = job["mail"].encode()
    field = dkim.sign(mail, b"s", b"shop.example", job["key"].encode(), canonicalize=(header.encode(), body.encode()), signature_algorithm=job["algo"].encode())
    print(json.dumps({"mail": (field + mail).decode()}), flush=True)
