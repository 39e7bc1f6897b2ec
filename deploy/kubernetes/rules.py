"""``python deploy/kubernetes/rules.py`` writes the rules of ``deploy/prometheus`` for the Prometheus operator."""

from pathlib import Path
from textwrap import indent

RULES = Path(__file__).with_name("rules.yaml")
_SOURCES = [RULES.parents[1] / "prometheus" / name for name in ("recording.yml", "alerts.yml")]
_HEAD = """\
# Written by rules.py from deploy/prometheus: change the rules there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: course
spec:
  groups:
"""


def prometheus_rule() -> str:
    """The manifest with the groups of each file, unchanged."""
    groups = [path.read_text("utf-8").partition("groups:\n")[2].rstrip() for path in _SOURCES]
    return _HEAD + indent("\n\n".join(groups), "  ") + "\n"


if __name__ == "__main__":
    RULES.write_text(prometheus_rule(), "utf-8")
