"""What a greeting costs here, and in what else could give it, as usage.txt says: main takes the options, and
cases which servers are put under which load; measuring has the figures, judging their ratios, showing both."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATES = HERE / "templates"
CHECKOUT = HERE.parent.parent
SCRIPTS = CHECKOUT / "scripts"


class Failure(Exception):
    """Ends the run: what was wrong, and what to do next."""

    def __init__(self, what, next_step="mend that, and run this again", status=1):
        super().__init__(what)
        self.next_step = next_step
        self.status = status


class Unanswered(Failure):
    """Not a wrong answer, but none."""


def usage_error(what):
    raise Failure(what, f'correct that; "{sys.argv[0]} --help" lists the options.', status=2)


def quote(text):
    return "'" + str(text).replace("'", "'\\''") + "'"
