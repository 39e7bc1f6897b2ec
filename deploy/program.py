"""``python -m deploy.program PROGRAM ...`` runs a program as if it were a module, which it ends with.

So ``course_utils.processes`` looks after Redis and Prometheus as after everything else.
"""

import signal
import subprocess
import sys

program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
signal.signal(signal.SIGTERM, lambda *_: program.terminate())
sys.exit(program.wait())
