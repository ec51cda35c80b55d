"""Open party 1's connection as MPyC does, say who we are, and end well after one byte of answer.

    python3 half.py -P 127.0.0.1:PORT ... -I 0
"""

import socket
import sys

ports = [word.rpartition(':')[2] for word in sys.argv if word.startswith('127.0.0.1:')]
peer = socket.create_connection(('127.0.0.1', int(ports[1])))
peer.sendall(bytes([0, 0, 7]))
peer.recv(1)
