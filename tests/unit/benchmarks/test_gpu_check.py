import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from benchmarks import gpu_check
from benchmarks.gpu_check import PART_S, PARTS, _code_cells, check, merge, sizes
from benchmarks.memory import random_row, shape_of
from course_utils.errors import ModelError
from course_utils.files import PROJECT


def test_all_parts_together_may_take_less_than_eight_minutes() -> None:
    assert sum(PART_S.values()) < 8 * 60


def test_cells_lose_the_commands_of_ipython_and_nothing_else(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["!no code"]},
        {"cell_type": "code", "source": ["if colab:\n", "    !pip install x\n", "%matplotlib inline\n", "a = 7 % 4"]},
    ]
    (tmp_path / "some.ipynb").write_text(json.dumps({"cells": cells}))
    (source,) = _code_cells(tmp_path / "some.ipynb")
    found: dict[str, object] = {"colab": True}
    exec(source, found)
    assert found["a"] == 3


def test_every_notebook_is_code_without_a_kernel() -> None:
    for notebook in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        for source in _code_cells(notebook):
            compile(source, notebook.name, "exec")


@pytest.mark.slow
def test_a_part_that_fails_is_written_down() -> None:
    result = check(PROJECT / "data" / "tiny_base", ["large_unsloth"], rehearse=True)
    assert any("gpu" in line for line in result["large_unsloth"]["failed"])
    assert result["rehearsal"]


@pytest.mark.parametrize(
    ("gpus", "parts", "said"),
    [
        ((), None, "no GPU"),
        ((object(),), None, "holds no model"),
        ((object(),), ["small", "smal"], "no part smal; choose from large_unsloth"),
    ],
)
def test_a_check_that_cannot_end_well_does_not_begin(
    gpus: tuple[object, ...], parts: list[str] | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check, "probe_machine", lambda: SimpleNamespace(gpus=gpus))
    with pytest.raises(typer.BadParameter, match=said):
        gpu_check.main(tmp_path, parts)


def test_a_check_trains_the_shape_that_it_names() -> None:
    on_gpu = sizes(Path("weights"), rehearse=False)
    assert round(on_gpu.large.n_parameters / 1e9, 1) == 8.0
    assert on_gpu.profile.load_in_4bit
    ids, mask = random_row(3, on_gpu.n_tokens, on_gpu.large.vocab_size)
    assert len(ids) == len(mask) == on_gpu.n_tokens
    assert sum(mask) == on_gpu.n_tokens // 4
    assert set(PARTS) == set(PART_S)


def test_notes_on_a_part_go_when_it_runs_again() -> None:
    before = {
        "small": 1,
        "small_trl": 2,
        "notes": ["small: slow.", "small_trl was cut off.", "both machines are alike."],
    }
    assert merge(before, {"small": 3}) == before | {"small": 3, "notes": before["notes"][1:]}  # type: ignore[index]


def test_a_model_that_is_half_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "TINY_BASE", tmp_path / "nowhere")
    with pytest.raises(ModelError):
        gpu_check._write_random_model(shape_of("tiny base"), tmp_path / "model")
    assert not (tmp_path / "model").exists()
