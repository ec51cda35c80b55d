"""One job a line in, one answer a line out: `interop/src/play/driver.rs` says what they are."""

import asyncio
import json
import sys
from importlib.metadata import version


class Absent(Exception):
    """The library offers no way to ask for this."""


def serve(packages, operations):
    """Answers until there are no more jobs. Only answers go to the standard output."""
    out, sys.stdout = sys.stdout, sys.stderr
    loop = asyncio.new_event_loop()
    for line in sys.stdin:
        job = json.loads(line)
        if job["op"] == "versions":
            answer = {"ok": {name: version(name) for name in packages}}
        else:
            answer = loop.run_until_complete(attempt(operations[job["op"]], job))
        print(json.dumps(answer), file=out, flush=True)


async def attempt(operation, job):
    """Whatever a library throws at what somebody else wrote is its verdict."""
    try:
        return {"ok": await operation(job)}
    except Absent as absent:
        return {"absent": str(absent)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
