"""What holds for every test run.

Property tests are not timed: a busy machine proves nothing about a rule. gRPC's core keeps its
hands off forks: where its threads are at work, it ends every second child before that is what it
was to become.
"""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # read when gRPC begins

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
