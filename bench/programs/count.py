"""Runs a program of MPyC and says how many messages this party sent."""

import atexit
import runpy
import sys

from mpyc import asyncoro

sent = 0
send = asyncoro.MessageExchanger.send


def counting(self, pc, payload):
    global sent
    sent += 1
    send(self, pc, payload)


asyncoro.MessageExchanger.send = counting
atexit.register(lambda: print(f"messages sent: {sent}", file=sys.stderr))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
