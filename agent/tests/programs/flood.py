"""Write much, or things that are no lines of text, to stdout and stderr, then end MPyC properly.

    python3 flood.py lines MEGABYTES    numbered lines of a kilobyte on stdout, as much again on stderr
    python3 flood.py odd 0              bytes that are no text, a line of a megabyte, a last line without an end
    python3 flood.py stdin 0            how much comes from stdin
    python3 flood.py signals NUMBER     the names of so many signals, SIGUSR1 or SIGUSR2, as they come
"""

import logging
import signal
import sys

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

how, number = sys.argv[-2], int(sys.argv[-1])

from mpyc.runtime import mpc  # noqa: E402  (it takes its own arguments away)

out, err = sys.stdout.buffer, sys.stderr.buffer
mpc.run(mpc.start())
if how == 'lines':
    for line in range(number * 1024):
        out.write(b'%07d ' % line + b'x' * 1015 + b'\n')
        if line % 1024 == 0:
            err.write(b'y' * 1023 * 1024 + b'\n')
elif how == 'odd':
    out.write(b'\xff\x00\xfe\r\n' + '\u00e9'.encode() * 500_000 + b'\nno end')
elif how == 'stdin':
    out.write(b'read %d bytes\n' % len(sys.stdin.buffer.read()))
elif how == 'signals':
    wanted = {signal.SIGUSR1, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    out.write(b'listens\n')
    for _ in range(number):
        out.flush()
        out.write(b'signal %s\n' % signal.Signals(signal.sigwait(wanted)).name.encode())
out.flush()
mpc.run(mpc.shutdown())
