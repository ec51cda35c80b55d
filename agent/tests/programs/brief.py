"""Say something to the next party without MPyC, and end at once.

    python3 brief.py FILE -P HOST:PORT ... -I INDEX

Party 1 listens, makes FILE and prints what comes. Party 0 waits for FILE, connects, writes, closes and ends.
"""

import os
import socket
import struct
import sys
import time

arguments = sys.argv[1:]
ports = [int(at.rpartition(':')[2]) for option, at in zip(arguments, arguments[1:]) if option == '-P']
index = int(arguments[arguments.index('-I') + 1])
file = next(word for word in arguments if '/' in word)

if index == 0:
    while not os.path.exists(file):
        time.sleep(0.01)
    with socket.create_connection(('127.0.0.1', ports[1])) as connection:
        connection.sendall(struct.pack('<H', index) + b'hello')
    os._exit(0)

with socket.create_server(('127.0.0.1', ports[index])) as server:
    open(file, 'w').close()
    connection, _ = server.accept()
    with connection, connection.makefile('rb') as stream:
        print(stream.read()[2:].decode(), flush=True)
