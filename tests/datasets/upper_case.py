"""Names in capitals and joins by aliases, as Spider and enterprise schemas write them; ready SQLite files."""

from pathlib import Path

from tests.datasets.dataset_files import Pair, about, write_splits
from tests.sqlite_files import write_database

STAFF = """
CREATE TABLE DEPARTMENT (DEPT_ID INTEGER PRIMARY KEY, DEPT_NAME VARCHAR(30), CITY VARCHAR(30));
CREATE TABLE EMPLOYEE (EMP_ID INTEGER PRIMARY KEY, FIRST_NAME VARCHAR(30), SALARY DECIMAL(8, 2),
    DEPT_ID INTEGER REFERENCES DEPARTMENT(DEPT_ID));
INSERT INTO DEPARTMENT VALUES (1, 'Sales', 'Leeds'), (2, 'Research', 'Graz'), (3, 'Support', 'Porto');
INSERT INTO EMPLOYEE VALUES (1, 'Ines', 4100, 1), (2, 'Bram', 5200, 2), (3, 'Wren', 3900, 1), (4, 'Otto', 6100, 2),
    (5, 'Mira', 3300, 3), (6, 'Juno', 4700, 3);
"""
FLEET = """
CREATE TABLE DEPOT (DEPOT_ID INTEGER PRIMARY KEY, DEPOT_NAME TEXT);
CREATE TABLE TRUCK (TRUCK_ID INTEGER PRIMARY KEY, MODEL TEXT, CAPACITY INTEGER, DEPOT_ID INTEGER REFERENCES DEPOT);
INSERT INTO DEPOT VALUES (1, 'North'), (2, 'Harbour');
INSERT INTO TRUCK VALUES (1, 'Atlas', 12, 1), (2, 'Bison', 18, 1), (3, 'Cargo', 8, 2), (4, 'Atlas', 14, 2);
"""
JOIN = "EMPLOYEE AS T1 JOIN DEPARTMENT AS T2 ON T1.DEPT_ID = T2.DEPT_ID"
PARK = "TRUCK AS T1 JOIN DEPOT AS T2 ON T1.DEPOT_ID = T2.DEPOT_ID"


def staff_pairs() -> list[Pair]:
    return [
        ("How many employees are there?", "SELECT COUNT(*) FROM EMPLOYEE"),
        ("What is the highest salary?", "SELECT MAX(SALARY) FROM EMPLOYEE"),
        ("Who earns least?", "SELECT FIRST_NAME FROM EMPLOYEE ORDER BY SALARY LIMIT 1"),
        ("List first names by salary, highest first.", "SELECT FIRST_NAME FROM EMPLOYEE ORDER BY SALARY DESC"),
        ("In how many cities are departments?", "SELECT COUNT(DISTINCT CITY) FROM DEPARTMENT"),
        *(
            pair
            for name, city in (("Sales", "Leeds"), ("Research", "Graz"), ("Support", "Porto"))
            for pair in (
                (f"Who works in {name}?", f"SELECT T1.FIRST_NAME FROM {JOIN} WHERE T2.DEPT_NAME = '{name}'"),
                (f"Average pay of people in {city}", f"SELECT AVG(T1.SALARY) FROM {JOIN} WHERE T2.CITY = '{city}'"),
                (f"Where is the {name} department?", f"SELECT CITY FROM DEPARTMENT WHERE DEPT_NAME = '{name}'"),
                (f"Count the employees based in {city}.", f"SELECT COUNT(*) FROM {JOIN} WHERE T2.CITY = '{city}'"),
            )
        ),
        *((f"Who earns over {pay}?", f"SELECT FIRST_NAME FROM EMPLOYEE WHERE SALARY > {pay}") for pay in (4000, 5000)),
        (
            "Give each department's name and its number of employees.",
            f"SELECT T2.DEPT_NAME, COUNT(*) FROM {JOIN} GROUP BY T2.DEPT_NAME",
        ),
    ]


def fleet_pairs() -> list[Pair]:
    return [
        ("What is the total capacity of all trucks?", "SELECT SUM(CAPACITY) FROM TRUCK"),
        ("Which models are there?", "SELECT DISTINCT MODEL FROM TRUCK"),
        *((f"Which trucks stand in {d}?", f"SELECT T1.MODEL FROM {PARK} WHERE T2.DEPOT_NAME = '{d}'") for d in DEPOTS),
        *((f"How many trucks has {d}?", f"SELECT COUNT(*) FROM {PARK} WHERE T2.DEPOT_NAME = '{d}'") for d in DEPOTS),
        ("Models that carry at least 14", "SELECT MODEL FROM TRUCK WHERE CAPACITY >= 14"),
    ]


DEPOTS = ("North", "Harbour")


def write(folder: Path) -> None:
    """Write the dataset; the fleet is a database that only the test asks about."""
    write_database(folder / "database" / "STAFF" / "STAFF.sqlite", STAFF)
    write_database(folder / "database" / "FLEET" / "FLEET.sqlite", FLEET)
    staff = about("STAFF", staff_pairs())
    validation, test = staff[3::7], staff[5::7]
    train = [pair for pair in staff if pair not in (*validation, *test)]
    write_splits(folder, {"train": train, "validation": validation, "test": [*test, *about("FLEET", fleet_pairs())]})
