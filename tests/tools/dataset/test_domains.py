from pathlib import Path

import pytest

from course_utils.errors import DataError
from tools.dataset.domains import read_domain, read_domains

GOOD = """
role = "train"

[tables.shop]
rows = 5
[tables.shop.columns]
shop_id = { kind = "id" }
city = { kind = "text", values = ["Lyon", "Turin"] }
"""


def declare(folder: Path, text: str) -> Path:
    path = folder / "shops" / "domain.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_domain_derives_the_words_that_it_does_not_declare(tmp_path: Path) -> None:
    table = read_domain(declare(tmp_path, GOOD)).table("shop")
    assert (table.one, table.many, table.column("city").plural) == ("shop", "shops", "cities")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("rows = 5\n", ""), "table shop: rows is missing"),
        (("rows = 5", "rows = 0"), "table shop: rows is missing or no positive integer"),
        (('kind = "id"', 'kind = "key"'), "column shop.shop_id: kind is one of"),
        (('values = ["Lyon", "Turin"]', 'valeus = ["Lyon"]'), "column shop.city: needs kind and at most"),
        ((', values = ["Lyon", "Turin"]', ""), "text needs either values or pattern"),
        ((', values = ["Lyon", "Turin"]', ', pattern = "{town}"'), "uses town, which [lists] does not have"),
        (('kind = "text", values = ["Lyon", "Turin"]', 'kind = "year", low = 9, high = 9'), "low must be below high"),
        (('kind = "text", values = ["Lyon", "Turin"]', 'kind = "reference", table = "x"'), "declare that table above"),
        (('shop_id = { kind = "id" }\n', ""), 'exactly one column of kind "id"'),
        (("city =", "City ="), "snake_case"),
        (("[tables.shop]", "[tables.shop"), "not TOML"),
        (('role = "train"', 'role = "held_out"'), "role is one of train, written, validation, test"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    path = declare(tmp_path, GOOD.replace(*change))
    with pytest.raises(DataError) as error:
        read_domain(path)
    assert fault in str(error.value)
    assert str(path) in str(error.value)


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    wrong = GOOD.replace('kind = "id"', 'kind = "key"').replace("rows = 5\n", "")
    with pytest.raises(DataError) as error:
        read_domains(declare(tmp_path, wrong).parent.parent)
    assert len(str(error.value).splitlines()) == 2


def test_no_domain_at_all_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"domain\.toml"):
        read_domains(tmp_path)


def test_a_map_takes_a_text_for_a_list_of_one(tmp_path: Path) -> None:
    text = GOOD + 'country = { kind = "text", follows = "city", map = { Lyon = "France", Turin = ["Italy"] } }\n'
    assert read_domain(declare(tmp_path, text)).table("shop").column("country").map == {
        "Lyon": ("France",),
        "Turin": ("Italy",),
    }


def test_a_domain_is_for_training_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert read_domain(declare(tmp_path, GOOD.replace('role = "train"', ""))).role == "train"
    assert read_domain(declare(tmp_path, GOOD.replace('"train"', '"test"'))).held_out
