"""Run a command at a terminal of its own, as a person does.

    python3 terminal.py COMMAND ...

What the command shows goes to stdout; what comes on stdin is typed. SIGUSR1 types Ctrl-C, SIGUSR2 closes the terminal. Each line
`SHOWN=>TYPED` of the variable TERMINAL_TYPES types a line once the command has shown something, one after the other. Ends with the command's exit code as
a shell gives it, after `modes kept` or `modes changed` on stderr.
"""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios

master, slave = pty.openpty()
# Echo would mix what is typed into what is shown; the other modes are those of a person's terminal.
modes = termios.tcgetattr(slave)
modes[1] &= ~termios.OPOST
termios.tcsetattr(slave, termios.TCSANOW, modes)
before = termios.tcgetattr(slave)


def own_the_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def close(*_):
    global is_open
    is_open = False
    os.close(master)


is_open = True
signal.signal(signal.SIGUSR1, lambda *_: os.write(master, b'\x03'))
signal.signal(signal.SIGUSR2, close)
process = subprocess.Popen(sys.argv[1:], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                           preexec_fn=own_the_terminal)


answers = [line.split('=>', 1) for line in os.environ.pop('TERMINAL_TYPES', '').splitlines()]
shown = b''


def answer(new):
    """Types what fits to what was shown."""
    global shown
    shown += new
    while answers and answers[0][0].encode() in shown:
        before_it, typed = answers.pop(0)
        shown = shown.split(before_it.encode(), 1)[1]
        os.write(master, typed.encode() + b'\n')


def show(wait):
    """Hands on what the terminal shows; says whether there was any."""
    try:
        if not is_open or not select.select([master], [], [], wait)[0]:
            return False
        new = os.read(master, 65536)
        os.write(1, new)
        answer(new)
        return True
    except OSError:
        return False


def type_in():
    """Types what came on stdin meanwhile; a closed stdin types nothing."""
    global has_stdin
    if has_stdin and is_open and select.select([0], [], [], 0)[0]:
        typed = os.read(0, 4096)
        has_stdin = bool(typed)
        os.write(master, typed)


has_stdin = True
while process.poll() is None:
    type_in()
    if not show(0.05) and not is_open:
        select.select([], [], [], 0.05)
while show(0.1):
    pass
if is_open:
    kept = termios.tcgetattr(slave) == before
    print('modes', 'kept' if kept else 'changed', file=sys.stderr, flush=True)
code = process.returncode
sys.exit(128 - code if code < 0 else code)
