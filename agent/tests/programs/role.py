"""Run another program: parties that do different things on purpose are one program to each other.

    python3 role.py PROGRAM.py [ARGUMENT ...]

MPyC's own arguments may stand in front of PROGRAM. Nothing imports it, so it is in no manifest.
"""

import os
import runpy
import sys

at = next(at for at, word in enumerate(sys.argv) if at > 0 and word.endswith('.py'))
sys.argv[0] = sys.argv.pop(at)
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
