"""``make audit``: look up every locked package in OSV, the open database of vulnerabilities.

A known vulnerability makes it fail. Without a network it succeeds, with a message that nothing was checked.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements" / "all.txt"
_TOOL = ("pip-audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
_UNREACHABLE = re.compile(r"^\S*(?:ConnectionError|ProxyError|SSLError|Timeout)\b", re.MULTILINE)


def audit(lock: Path, *options: str) -> tuple[int, str]:
    """An exit status and what to say; ``options`` are more of pip-audit's."""
    command = [str(Path(sys.executable).parent / _TOOL[0]), *_TOOL[1:], "--requirement", str(lock), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        if _UNREACHABLE.search(done.stderr):
            return 0, "OSV (api.osv.dev), the database of vulnerabilities, cannot be reached: NOTHING was checked."
        return 2, f"pip-audit failed:\n{done.stderr}"
    found = [(each, flaw) for each in packages for flaw in each.get("vulns", [])]
    lines = [
        f"{each['name']} {each['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version'}"
        for each, flaw in found
    ]
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    lines.append(f"{len(packages) - len(skipped)} packages checked, {len(found)} vulnerabilities known.")
    return (1 if found else 0), "\n".join(lines + ([f"Not checked: {', '.join(skipped)}"] if skipped else []))


if __name__ == "__main__":
    status, said = audit(LOCK, "--vulnerability-service", "osv", *sys.argv[1:])
    print(said)  # noqa: T201  # the command's output
    sys.exit(status)
