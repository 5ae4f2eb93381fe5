"""What ``opentelemetry-instrument`` does, for one instrumentation that is named: run a program.

Several that are installed beside each other here have one name, so that none could be chosen.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module

from opentelemetry.instrumentation.auto_instrumentation import initialize

_, module, program = sys.argv
initialize()
if module != "none":
    import_module(module).OpenAIInstrumentor().instrument()
runpy.run_path(program, run_name="__main__")
