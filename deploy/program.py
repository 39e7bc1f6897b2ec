"""``python -m deploy.program PROGRAM ...`` runs a program as a module, and ends it when the module is ended.

``course_utils.processes`` runs modules only; this lets it run Redis and Prometheus, too.
"""

import signal
import subprocess
import sys

program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
signal.signal(signal.SIGTERM, lambda *_: program.terminate())
sys.exit(program.wait())
