"""Chinese questions, tables, columns, values and one Chinese ``db_id``; built from ``schema.sql``."""

from pathlib import Path

from tests.datasets.dataset_files import Pair, about, write_splits

BOOKS = """
CREATE TABLE 作者 (作者编号 INTEGER PRIMARY KEY, 姓名 TEXT, 城市 TEXT);
CREATE TABLE 图书 (图书编号 INTEGER PRIMARY KEY, 书名 TEXT, 作者编号 INTEGER REFERENCES 作者(作者编号), 类别 TEXT,
    价格 REAL, 库存 INTEGER);
INSERT INTO 作者 VALUES (1, '林远', '北京'), (2, '陈思雨', '上海'), (3, '王若水', '成都'), (4, '赵一鸣', '北京');
INSERT INTO 图书 VALUES (1, '河边的灯', 1, '小说', 36.5, 12), (2, '山中来信', 2, '散文', 28, 0),
    (3, '星图', 3, '科普', 59, 7), (4, '旧巷', 1, '小说', 42, 31),
    (5, '盐与茶', 4, '历史', 66, 5), (6, '夜航', 2, '小说', 33, 18);
"""
HOSPITAL = """
CREATE TABLE 医生 (工号 INTEGER PRIMARY KEY, 姓名 TEXT, 科室 TEXT, 年龄 INTEGER);
CREATE TABLE 门诊 (单号 INTEGER PRIMARY KEY, 工号 INTEGER REFERENCES 医生(工号), 日期 TEXT, 费用 REAL);
INSERT INTO 医生 VALUES (1, '周明', '内科', 41), (2, '吴晓', '外科', 35), (3, '郑华', '儿科', 52),
    (4, '孙宁', '内科', 29);
INSERT INTO 门诊 VALUES (1, 1, '2026-03-02', 80), (2, 2, '2026-03-02', 240),
    (3, 1, '2026-03-05', 65), (4, 3, '2026-04-01', 90);
"""
CATEGORIES, CITIES, WARDS = ("小说", "散文", "科普", "历史"), ("北京", "上海", "成都"), ("内科", "外科", "儿科")


def book_pairs() -> list[Pair]:
    return [
        ("一共有多少本图书？", "SELECT COUNT(*) FROM 图书"),
        ("列出所有书名。", "SELECT 书名 FROM 图书"),
        ("最贵的图书叫什么？", "SELECT 书名 FROM 图书 ORDER BY 价格 DESC LIMIT 1"),
        ("库存最少的是哪一本？", "SELECT 书名 FROM 图书 ORDER BY 库存 LIMIT 1"),
        ("哪些书已经卖完了？", "SELECT 书名 FROM 图书 WHERE 库存 = 0"),
        ("全部库存加起来是多少？", "SELECT SUM(库存) FROM 图书"),
        *(
            (f"{kind}类图书的平均价格是多少？", f"SELECT AVG(价格) FROM 图书 WHERE 类别 = '{kind}'")
            for kind in CATEGORIES
        ),
        *((f"有几本书属于“{kind}”？", f"SELECT COUNT(*) FROM 图书 WHERE 类别 = '{kind}'") for kind in CATEGORIES),
        *((f"住在{city}的作者有谁？", f"SELECT 姓名 FROM 作者 WHERE 城市 = '{city}'") for city in CITIES),
        *(
            (f"价格高于{limit}元的书名有哪些？", f"SELECT 书名 FROM 图书 WHERE 价格 > {limit}")
            for limit in (30, 40, 60)
        ),
        *(
            (
                f"{city}的作者写了哪些书？",
                f"SELECT T1.书名 FROM 图书 AS T1 JOIN 作者 AS T2 ON T1.作者编号 = T2.作者编号 WHERE T2.城市 = '{city}'",
            )
            for city in CITIES
        ),
    ]


def hospital_pairs() -> list[Pair]:
    return [
        ("医院里有多少位医生？", "SELECT COUNT(*) FROM 医生"),
        ("年龄最大的医生是谁？", "SELECT 姓名 FROM 医生 ORDER BY 年龄 DESC LIMIT 1"),
        ("门诊费用的总和是多少？", "SELECT SUM(费用) FROM 门诊"),
        ("有哪些不同的科室？", "SELECT DISTINCT 科室 FROM 医生"),
        *((f"{ward}有几位医生？", f"SELECT COUNT(*) FROM 医生 WHERE 科室 = '{ward}'") for ward in WARDS),
        *((f"请列出{ward}医生的姓名。", f"SELECT 姓名 FROM 医生 WHERE 科室 = '{ward}'") for ward in WARDS),
    ]


def write(folder: Path) -> None:
    """Write the dataset; every second question on the hospital is a test about a database that training sees."""
    for db_id, script in (("书店", BOOKS), ("hospital", HOSPITAL)):
        target = folder / "databases" / db_id / "schema.sql"
        target.parent.mkdir(parents=True)
        target.write_text(script, "utf-8")
    books, hospital = about("书店", book_pairs()), about("hospital", hospital_pairs())
    test = [*books[4::6], *hospital[1::2]]
    validation = books[5::6]
    train = [pair for pair in (*books, *hospital) if pair not in (*test, *validation)]
    write_splits(folder, {"train": train, "validation": validation, "test": test})
