from html import escape
from html.parser import HTMLParser

from course_utils.data.bases.compare import METHODS, compare_bases
from course_utils.data.bases.facts import BASES
from course_utils.data.bases.measure import BaseMeasurement
from course_utils.setup.memory import METHODS as ESTIMATED
from course_utils.setup.memory import estimate_memory

SMOL, LLAMA = BASES["HuggingFaceTB/SmolLM2-135M-Instruct"], BASES["meta-llama/Llama-3.1-8B-Instruct"]
MEASURED = BaseMeasurement(2, 400, 40, 120, 120, 60.0, 1.5)


class Cells(HTMLParser):
    """The text of each cell of a table, line by line."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.lines.append([])
        elif tag in ("th", "td"):
            self.lines[-1].append("")

    def handle_data(self, data: str) -> None:
        self.lines[-1][-1] += data


def memory_gib(base: object, method: str) -> float:
    """As a notebook joins the two rooms."""
    shape = base.shape
    return estimate_memory(base.n_parameters, method, shape=shape).total_gib


def test_all_bases_stand_in_the_table_with_a_link_to_their_card() -> None:
    page = compare_bases()._repr_html_()
    assert len(Cells(page).lines) == 1 + len(BASES)
    for base in BASES.values():
        assert f'<a href="{base.card}" title="{escape(base.note)}">' in page


def test_memory_comes_from_the_estimator_that_is_passed() -> None:
    table = compare_bases([SMOL, LLAMA], memory_gib=memory_gib)
    assert set(METHODS) <= set(ESTIMATED)
    for base in (SMOL, LLAMA):
        for method, title in METHODS.items():
            assert table.rows[base.hub_id][title] == f"{memory_gib(base, method):.1f}"
    assert Cells(table._repr_html_()).lines[0][-3:] == list(METHODS.values())


def test_measurements_join_by_name_and_strangers_get_a_row_of_their_own() -> None:
    table = compare_bases([SMOL, LLAMA], measured={SMOL.hub_id: MEASURED, "data/tiny_base": MEASURED})
    lines = {line[0]: line for line in Cells(table._repr_html_()).lines}
    assert lines["SmolLM2-135M-Instruct"][-4:] == lines["tiny_base"][-4:] == ["0.72", "4.48", "200", "20.0"]
    assert lines["Llama-3.1-8B-Instruct"][-4:] == [""] * 4
    assert lines["tiny_base"][1] == ""


def test_facts_can_be_left_out() -> None:
    table = compare_bases([SMOL], measured={SMOL.hub_id: MEASURED}, facts=False)
    assert len(table.columns) == 4
