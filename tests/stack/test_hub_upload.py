"""Notebook 5's command uploads a model to a Hub, and MODEL=NAME downloads it, by the part of the Hub's API in use."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_utils.files import PROJECT
from tests.http_servers import JsonHandler, serve

pytestmark = pytest.mark.slow
NAME, COMMIT = "ana/text-to-sql", "0" * 40
BASE = PROJECT / "data" / "tiny_base"
PULL = f"""
from course_utils.models import load_model, load_tokenizer
from course_utils.models.hub import locate_folder
assert load_tokenizer({NAME!r}).eos_token and load_model({NAME!r}).num_parameters()
print(locate_folder({NAME!r}))
"""


class Hub(JsonHandler):
    """One repository in memory, the server's ``files``."""

    def do_POST(self) -> None:
        parts = [json.loads(line) for line in self.read_body().splitlines()]
        if "/preupload/" in self.path:
            modes = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            self.answer({"files": [modes | {"path": file["path"]} for file in parts[0]["files"]]})
        elif "/commit/" in self.path:
            new = [part["value"] for part in parts if part["key"] == "file"]
            self.server.files |= {file["path"]: base64.b64decode(file["content"]) for file in new}
            self.answer({"commitUrl": f"/{NAME}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self.answer({"url": f"http://{self.headers['Host']}/{NAME}"})

    def do_GET(self) -> None:
        path, files = self.path.partition("?")[0], self.server.files
        api, resolve = f"/api/models/{NAME}", f"/{NAME}/resolve/"
        name = path.removeprefix(resolve).partition("/")[2]
        if path.startswith(resolve) and name in files:
            etag = hashlib.sha256(files[name]).hexdigest()
            self.answer(files[name], ETag=f'"{etag}"', X_Repo_Commit=COMMIT)
        elif path in (f"{api}/tree/main", f"{api}/tree/{COMMIT}"):
            kind = {"type": "file", "oid": COMMIT}
            self.answer([kind | {"path": file, "size": len(content)} for file, content in files.items()])
        elif path in (api, f"{api}/revision/main"):
            self.answer({"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]})
        else:
            self.answer({}, 404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)

    def do_HEAD(self) -> None:
        self.do_GET()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with serve(Hub, files={}) as server:
        hub = {"HF_ENDPOINT": server.url, "HF_TOKEN": "hf_a", "HF_HOME": str(tmp_path)}
        yield os.environ | hub | {"HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(PROJECT)}


def test_a_model_comes_back_from_a_hub_as_it_was_pushed(environment: dict[str, str]) -> None:
    def run(*command: str) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(str(Path(sys.executable).with_name("hf")), "upload", NAME, str(BASE))
    pulled = Path(run(sys.executable, "-c", PULL).split()[-1])
    assert {file.name: file.read_bytes() for file in pulled.iterdir()} == {
        file.name: file.read_bytes() for file in BASE.iterdir()
    }
