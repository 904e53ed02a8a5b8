"""The stage as tests of flows open it: its workers are forked, where that works; those of `make run` start cold."""

import sys
from functools import partial

from local import stage
from local.host.placeholder import Placeholder
from local.host.process import started

open_stage = partial(stage.open_stage, launch=Placeholder().launch if sys.platform == "linux" else started)
