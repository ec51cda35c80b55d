"""Start children in the ways in which programs lose them, say who they are, and ignore every request to end. At a terminal it
also turns echo off, as for a password.

    python3 family.py

Prints `pids A B C ...`, its own first: a child, a grandchild whose parent has ended, and a daemon in a session of its own.
"""

import os
import signal
import subprocess
import sys
import time
import tty

for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(request, signal.SIG_IGN)

if sys.stdin.isatty():
    tty.setcbreak(sys.stdin)

SLEEP = [sys.executable, '-c', 'import time; time.sleep(600)']


def orphan(detached):
    """Starts a process through one that ends at once, and returns its id."""
    read, write = os.pipe()
    if os.fork() == 0:
        if detached:
            os.setsid()
        child = subprocess.Popen(SLEEP)
        os.write(write, str(child.pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(read, 20))


pids = [os.getpid(), subprocess.Popen(SLEEP).pid, orphan(False), orphan(True)]
print('pids', *pids, flush=True)
while True:
    time.sleep(600)
