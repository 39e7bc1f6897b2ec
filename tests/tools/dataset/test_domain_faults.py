from pathlib import Path

import pytest

from course_utils.errors import DataError
from tools.dataset.domains import read_domain

GOOD = """
[lists]
place = ["Hill", "Lake"]

[tables.shop]
rows = 5
[tables.shop.columns]
shop_id = { kind = "id" }
city = { kind = "text", values = ["Lyon", "Turin"] }
founded = { kind = "year", low = 1990, high = 2000 }

[tables.sale]
rows = 20
[tables.sale.columns]
sale_id = { kind = "id" }
shop_id = { kind = "reference", table = "shop" }
state = { kind = "text", values = ["Paid", "Open"] }
amount = { kind = "real", low = 1, high = 9 }
NEW
"""


def faults_of(folder: Path, column: str) -> list[str]:
    path = folder / "shops" / "domain.toml"
    path.parent.mkdir()
    path.write_text(GOOD.replace("NEW", f"new = {{ {column} }}" if column else ""))
    try:
        read_domain(path)
    except DataError as error:
        return [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    "column",
    [
        "",
        'kind = "year", after = "shop_id.founded", low = 1, high = 9, until = 2010',
        'kind = "date", after = "shop_id.founded", low = 0, high = 900',
        'kind = "integer", times = "amount", low = 1, high = 2',
        'kind = "integer", times = "shop_id.city", map = { Lyon = 3, Turin = 4.5 }, low = 1, high = 2',
        'kind = "text", follows = "state", map = { Paid = ["{place} bank"], Open = "Cash" }',
        'kind = "reference", table = "shop", distinct_with = "shop_id", childless = 0.5',
        'kind = "reference", table = "sale", null_share = 0.2',
        'kind = "date", low = 2020, high = 2022, peak_months = [12], peak_weekdays = [7]',
        'kind = "date", low = 2020, high = 2022, only_if = { state = ["Paid"], "shop_id.city" = "Lyon" }',
        'kind = "integer", low = 0, high = 10, ties = 3',
    ],
)
def test_a_right_declaration_has_no_fault(tmp_path: Path, column: str) -> None:
    assert faults_of(tmp_path, column) == []


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ('kind = "year", after = "shop_id.opened", low = 1, high = 9', "'shop_id.opened' is no column above this one"),
        ('kind = "year", after = "later", low = 1, high = 9', "'later' is no column above this one"),
        ('kind = "year", after = "state.founded", low = 1, high = 9', "'state.founded' is no column above this one"),
        (
            'kind = "year", after = "amount", low = 1, high = 9',
            "'amount' is of kind real, but a year or date is needed",
        ),
        (
            'kind = "real", times = "state", low = 1, high = 9',
            "'state' is of kind text, but a number, or map, is needed",
        ),
        ('kind = "real", times = "sale_id", low = 1, high = 9', "'sale_id' is of kind id, but a number is needed"),
        ('kind = "text", follows = "amount"', "'amount' is of kind real, but a text is needed"),
        ('kind = "integer", low = 0, high = 9, only_if = { amount = ["1"] }', "'amount' is of kind real, but a text"),
        ('kind = "reference", table = "shop", distinct_with = "state"', "of kind text, but a reference is needed"),
        ('kind = "text", follows = "state", map = { Paid = 3 }', "map has texts after follows; fix Paid"),
        ('kind = "text", follows = "state", map = { Paid = "{street}" }', "uses street, which [lists] does not have"),
        (
            'kind = "real", times = "state", map = { Paid = "x" }, low = 1, high = 2',
            "map has numbers after times; fix Pa",
        ),
        ('kind = "text", values = ["a"], map = { a = "b" }', "map explains the texts of follows or times"),
        ('kind = "text", values = ["a"], follows = "state"', "text needs either values or pattern or follows"),
        ('kind = "date", low = 2020, high = 2021, peak_months = [0, 13]', "peak_months are 1 to 12, not [0, 13]"),
        ('kind = "date", low = 2020, high = 2021, peak_weekdays = [8]', "peak_weekdays are 1 (Monday) to 7, not [8]"),
        ('kind = "integer", low = 0, high = 9, ties = 2, unique = true', "ties needs a number of its own"),
        ('kind = "year", low = 1990, high = 1999, until = 1995', "until limits what comes after another time"),
        ('kind = "text", values = ["a"], childless = 0.1', "childless is for columns of kind reference"),
        ('kind = "integer", low = 0, high = 9, peak_months = [1]', "peak_months is for columns of kind date"),
        ('kind = "integer", low = 0, high = 9, null_share = 1', "null_share is a share from 0 to below 1"),
        ('kind = "reference", table = "shop", childless = 1.0', "childless is a share from 0 to below 1"),
        ('kind = "reference", table = "sale", childless = 0.5', "childless and distinct_with are for references to a"),
        ('kind = "id", null_share = 0.1', "an id always has a value"),
        ('kind = "reference", table = "owner"', "refers to 'owner'; declare that table above this one"),
    ],
)
def test_a_fault_names_the_column_and_the_remedy(tmp_path: Path, column: str, fault: str) -> None:
    faults = faults_of(tmp_path, column)
    (found,) = [each for each in faults if not each.startswith("table sale: needs exactly one column")]
    assert found.startswith("column sale.new: ")
    assert fault in found


def test_all_faults_of_a_column_are_listed(tmp_path: Path) -> None:
    column = 'kind = "integer", low = 9, high = 0, null_share = 2, follows = "nowhere", peak_months = [13]'
    assert len(faults_of(tmp_path, column)) == 6


def test_values_of_the_wrong_type_are_named(tmp_path: Path) -> None:
    column = 'kind = "integer", low = "3", high = true, values = "abc", peak_months = ["May"], unique = 1, map = [1]'
    (fault,) = faults_of(tmp_path, column)
    assert fault == (
        "column sale.new: low must be a number; high must be a number; "
        "values must be a list, of texts for values and of numbers for peaks; "
        "peak_months must be a list, of texts for values and of numbers for peaks; "
        "unique must be true or false; map must be a table"
    )
