import logging
from pathlib import Path

import pytest
import torch

from course_utils.deployment import convert_to_onnx
from course_utils.errors import ModelError
from course_utils.models import load_model

pytest.importorskip("onnx_ir", reason="the builder of ONNX graphs needs onnx-ir: make install")


def test_gives_the_models_own_probabilities(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnxruntime_genai

    model = onnxruntime_genai.Model(str(convert_to_onnx(base, tmp_path / "onnx", "fp32")))
    generator = onnxruntime_genai.Generator(model, onnxruntime_genai.GeneratorParams(model))
    ids = list(range(5, 40))
    generator.append_tokens(ids[:20])
    generator.append_tokens(ids[20:])  # what was read stays in the cache
    with torch.inference_mode():
        wanted = load_model(base)(input_ids=torch.tensor([ids])).logits[0, -1].float()
    found = torch.from_numpy(generator.get_logits()).flatten()[-len(wanted) :].float()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert capsys.readouterr().out == ""
    assert logging.root.level == logging.WARNING, "what other libraries log must not become visible"


def test_a_folder_without_a_model_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be converted to ONNX"):
        convert_to_onnx(tmp_path, tmp_path / "onnx", "int4")
    assert not list(tmp_path.iterdir())
