"""Checks SPF with pyspf against the DNS server at 127.0.0.1, port argv[1]."""
import contextlib
import json
import sys
import warnings

warnings.simplefilter("ignore")
import dns.resolver
import spf

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port, resolver.search = ["127.0.0.1"], int(sys.argv[1]), []
dns.resolver.default_resolver = resolver
for line in sys.stdin:
    q = json.loads(line)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            result = spf.check2(i=q["ip"], s=q["from"], h=q["helo"], querytime=5)[0]
    except Exception as e:
        result = "exception"
    print(result, flush=True)
