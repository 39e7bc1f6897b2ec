"""The model card for the Hub: prompt, data, accuracy with intervals, and limits of the tuned model."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import Course
from course_utils.files import SPLITS, is_local, read_json
from course_utils.prompts import to_messages
from course_utils.proportion import wilson_interval

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

TEMPLATE = Path(__file__).with_name("model_card.md.jinja")


def model_card(course: Course, evaluated: Mapping[str, Any]) -> "ModelCard":
    """The card of the tuned model, in Markdown with the Hub's metadata, from the artifacts of data and training.

    ``evaluated`` holds the results of the evaluation stage, whose manifest need not exist yet.

    Raises:
        ArtifactError: A stage before evaluation has not run or does not match.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    profile, training = course.profile, course.manifest("training")
    shares = [name for name in evaluated if f"{name}_low" in evaluated]
    schemas = read_json(course.output("data", "schemas.json"))
    messages = to_messages(next(iter(schemas.values())), "How many rows are there?")
    ticks = re.findall("`+", messages[0]["content"])  # a table's name may have backticks, which would end the block
    tested = ("text-generation", "text-to-sql", course.data.name, "accuracy")
    data = ModelCardData(
        model_name=f"text-to-sql-{profile.name}",
        base_model=None if is_local(profile.base_model) else profile.base_model,
        library_name="transformers" if profile.method == "full" else "peft",
        pipeline_tag="text-generation",
        language="en",
        tags=["text-to-sql", profile.method],
        eval_results=[EvalResult(*tested, evaluated[name], metric_name=name) for name in shares if "tuned" in name],
    )
    card: ModelCard = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=data.model_name,
        profile=profile,
        training=training,
        evaluated=evaluated,
        shares=shares,
        probed=wilson_interval(evaluated["n_probes_safe"], n) if (n := evaluated.get("n_probes")) else None,
        messages=messages,
        fence="`" * max(3, 1 + max(map(len, ticks), default=0)),
        splits=SPLITS,
    )
    return card


def write_card(card: "ModelCard", folder: Path) -> list[Path]:
    """Write ``README.md`` for the Hub and ``report.html`` for people, made by nbconvert; return both."""
    import nbformat
    from nbconvert import HTMLExporter

    folder.mkdir(parents=True, exist_ok=True)
    cell = nbformat.v4.new_markdown_cell(card.text)  # type: ignore[no-untyped-call]
    page = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    html, _ = HTMLExporter().from_notebook_node(page)  # type: ignore[no-untyped-call]
    (folder / "README.md").write_text(str(card), "utf-8")
    (folder / "report.html").write_text(html, "utf-8")
    return [folder / "README.md", folder / "report.html"]
