"""What the usual evaluation does not import, once its volatilities were fitted."""

import subprocess
import sys

HEAVY = ("arch", "statsmodels", "pandas", "scipy.stats", "scipy.signal", "cma", "SALib", "requests")


def test_the_usual_evaluation_loads_no_statistics():
    code = (
        "import sys, evaluator.cli.main, evaluator.evaluation.evaluation\n"
        "import evaluator.evaluation.conclusion, evaluator.report.files, evaluator.store.database\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
