"""Loaded by every interpreter of a broken run (PYTHONPATH): puts the wrong function in place."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
if os.environ.get("CRASH_BROKEN"):
    from crash import broken

    broken.apply(os.environ["CRASH_BROKEN"])
