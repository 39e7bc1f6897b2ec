"""Spider's release style: its files and keys, two questions a query, ``T1``, double quotes, spaces before commas."""

from pathlib import Path
from typing import Any

from course_utils.files import write_json
from tests.datasets.dataset_files import read_pairs
from tests.sqlite_files import write_database

SCHEMAS = {
    "orchard_harvest": """
CREATE TABLE "orchard" ("Orchard_ID" int, "Name" text, "Region" text, "Number_of_trees" int,
    PRIMARY KEY ("Orchard_ID"));
CREATE TABLE "picker" ("Picker_ID" int, "Name" text, "Age" int, "Hometown" text, PRIMARY KEY ("Picker_ID"));
CREATE TABLE "harvest" ("Harvest_ID" int, "Orchard_ID" int, "Picker_ID" int, "Kilograms" real,
    PRIMARY KEY ("Harvest_ID"), FOREIGN KEY ("Orchard_ID") REFERENCES "orchard"("Orchard_ID"),
    FOREIGN KEY ("Picker_ID") REFERENCES "picker"("Picker_ID"));
INSERT INTO orchard VALUES (1, 'Hilltop', 'North', 120), (2, 'Old Mill', 'South', 85), (3, 'Long Acre', 'North', 240);
INSERT INTO picker VALUES (1, 'Ada', 23, 'Leiden'), (2, 'Joris', 41, 'Breda'), (3, 'Noor', 35, 'Leiden');
INSERT INTO harvest VALUES (1, 1, 1, 320.5), (2, 1, 2, 150), (3, 3, 1, 410), (4, 2, 3, 95.5), (5, 3, 3, 275);
""",
    "ferry_company": """
CREATE TABLE "port" ("port_id" int, "port_name" text, "country" text, "depth" real, PRIMARY KEY ("port_id"));
CREATE TABLE "ferry" ("ferry_id" int, "model" text, "built_year" int, "seats" int, "home_port" int,
    PRIMARY KEY ("ferry_id"), FOREIGN KEY ("home_port") REFERENCES "port"("port_id"));
INSERT INTO port VALUES (1, 'Kalmar', 'Sweden', 9.5), (2, 'Ronne', 'Denmark', 7), (3, 'Visby', 'Sweden', 8.2);
INSERT INTO ferry VALUES (1, 'Swift', 1998, 300, 1), (2, 'Gull', 2007, 450, 1), (3, 'Gull', 2012, 470, 3),
    (4, 'Tern', 1987, 120, 2);
""",
    "violin_makers": """
CREATE TABLE "maker" ("Maker_ID" int, "Name" text, "City" text, "Born_year" int, PRIMARY KEY ("Maker_ID"));
CREATE TABLE "violin" ("Violin_ID" int, "Maker_ID" int, "Wood" text, "Price" real, "Year" int,
    PRIMARY KEY ("Violin_ID"), FOREIGN KEY ("Maker_ID") REFERENCES "maker"("Maker_ID"));
INSERT INTO maker VALUES (1, 'Bruno Carli', 'Cremona', 1944), (2, 'Anja Wolf', 'Mittenwald', 1961),
    (3, 'Luc Perrin', 'Mirecourt', 1970);
INSERT INTO violin VALUES (1, 1, 'spruce', 9000, 1980), (2, 1, 'maple', 14500, 1991), (3, 2, 'maple', 11000, 1999),
    (4, 3, 'spruce', 5200, 2004), (5, 2, 'willow', 7600, 2010);
""",
}
TRAIN = {
    "orchard_harvest": """
How many orchards are there?
SELECT count(*) FROM orchard
What is the total number of pickers?
SELECT count(*) FROM picker
What are the names of all orchards?
SELECT Name FROM orchard
List the name and age of all pickers.
SELECT Name ,  Age FROM picker
What are the names of orchards in the region "North"?
SELECT Name FROM orchard WHERE Region  =  "North"
Find the number of trees of the orchard named "Old Mill".
SELECT Number_of_trees FROM orchard WHERE Name  =  "Old Mill"
How many pickers are from the hometown "Leiden"?
SELECT count(*) FROM picker WHERE Hometown  =  "Leiden"
What are the names of pickers older than 30?
SELECT Name FROM picker WHERE Age  >  30
Show the names of pickers whose age is below 40.
SELECT Name FROM picker WHERE Age  <  40
What is the average number of trees of all orchards?
SELECT avg(Number_of_trees) FROM orchard
What are the maximum and minimum age of all pickers?
SELECT max(Age) ,  min(Age) FROM picker
What is the name of the orchard with the largest number of trees?
SELECT Name FROM orchard ORDER BY Number_of_trees DESC LIMIT 1
Return the name of the youngest picker.
SELECT Name FROM picker ORDER BY Age LIMIT 1
List the names of pickers in ascending order of age.
SELECT Name FROM picker ORDER BY Age
Show each hometown and the number of pickers from it.
SELECT Hometown ,  count(*) FROM picker GROUP BY Hometown
How many different regions do the orchards have?
SELECT count(DISTINCT Region) FROM orchard
What are the kilograms of harvests of the orchard named "Hilltop"?
SELECT T2.Kilograms FROM orchard AS T1 JOIN harvest AS T2 ON T1.Orchard_ID  =  T2.Orchard_ID WHERE T1.Name  =  "Hilltop"
How many harvests did the picker named "Noor" make?
SELECT count(*) FROM picker AS T1 JOIN harvest AS T2 ON T1.Picker_ID  =  T2.Picker_ID WHERE T1.Name  =  "Noor"
Show the name of each orchard and the number of its harvests.
SELECT T1.Name ,  count(*) FROM orchard AS T1 JOIN harvest AS T2 ON T1.Orchard_ID  =  T2.Orchard_ID GROUP BY T1.Name
""",
    "ferry_company": """
How many ferries do we have?
SELECT count(*) FROM ferry
Count the number of ports.
SELECT count(*) FROM port
What are the different models of ferries?
SELECT DISTINCT model FROM ferry
Find the name of ports in "Sweden".
SELECT port_name FROM port WHERE country  =  "Sweden"
What is the depth of the port with name "Visby"?
SELECT depth FROM port WHERE port_name  =  "Visby"
How many ferries have more than 200 seats?
SELECT count(*) FROM ferry WHERE seats  >  200
Show the models of ferries built after 2000.
SELECT model FROM ferry WHERE built_year  >  2000
What is the total number of seats of all ferries with model "Gull"?
SELECT sum(seats) FROM ferry WHERE model  =  "Gull"
Find the model of the ferry that was built first.
SELECT model FROM ferry ORDER BY built_year LIMIT 1
What are the name and country of the deepest port?
SELECT port_name ,  country FROM port ORDER BY depth DESC LIMIT 1
For each country, how many ports are there?
SELECT country ,  count(*) FROM port GROUP BY country
Which models are used by more than one ferry?
SELECT model FROM ferry GROUP BY model HAVING count(*)  >  1
What are the models of ferries whose home port is "Kalmar"?
SELECT T1.model FROM ferry AS T1 JOIN port AS T2 ON T1.home_port  =  T2.port_id WHERE T2.port_name  =  "Kalmar"
Find the name of the home port of the ferry with model "Tern".
SELECT T2.port_name FROM ferry AS T1 JOIN port AS T2 ON T1.home_port  =  T2.port_id WHERE T1.model  =  "Tern"
""",
}
DEV = {
    "violin_makers": """
How many violins are there?
SELECT count(*) FROM violin
What is the number of makers?
SELECT count(*) FROM maker
List the names of all makers.
SELECT Name FROM maker
What are the name and city of each maker?
SELECT Name ,  City FROM maker
What is the city of the maker named "Anja Wolf"?
SELECT City FROM maker WHERE Name  =  "Anja Wolf"
When was the maker with name "Luc Perrin" born?
SELECT Born_year FROM maker WHERE Name  =  "Luc Perrin"
What are the names of makers born after 1950?
SELECT Name FROM maker WHERE Born_year  >  1950
Show the price of violins whose wood is "maple".
SELECT Price FROM violin WHERE Wood  =  "maple"
How many violins have a price above 8000?
SELECT count(*) FROM violin WHERE Price  >  8000
What are the different kinds of wood of violins?
SELECT DISTINCT Wood FROM violin
What is the average price of all violins?
SELECT avg(Price) FROM violin
Find the highest price of violins with wood "spruce".
SELECT max(Price) FROM violin WHERE Wood  =  "spruce"
What is the wood of the most expensive violin?
SELECT Wood FROM violin ORDER BY Price DESC LIMIT 1
Return the name of the maker who was born first.
SELECT Name FROM maker ORDER BY Born_year LIMIT 1
List the price of violins in descending order of year.
SELECT Price FROM violin ORDER BY Year DESC
Show each wood and the number of violins made of it.
SELECT Wood ,  count(*) FROM violin GROUP BY Wood
What are the prices of violins by the maker named "Bruno Carli"?
SELECT T2.Price FROM maker AS T1 JOIN violin AS T2 ON T1.Maker_ID  =  T2.Maker_ID WHERE T1.Name  =  "Bruno Carli"
How many violins did the maker "Anja Wolf" make?
SELECT count(*) FROM maker AS T1 JOIN violin AS T2 ON T1.Maker_ID  =  T2.Maker_ID WHERE T1.Name  =  "Anja Wolf"
Show the name of each maker and the number of violins.
SELECT T1.Name ,  count(*) FROM maker AS T1 JOIN violin AS T2 ON T1.Maker_ID  =  T2.Maker_ID GROUP BY T1.Name
Which kinds of wood are used for more than one violin?
SELECT Wood FROM violin GROUP BY Wood HAVING count(*)  >  1
""",
}


def rows(pairs: dict[str, str]) -> list[dict[str, Any]]:
    """Rows with the keys of the release; ``sql``, its parse, is left out."""
    return [
        {
            "db_id": db_id,
            "query": query,
            "query_toks": query.split(),
            "question": question,
            "question_toks": question.split(),
        }
        for db_id, text in pairs.items()
        for question, query in read_pairs(text)
    ]


def write(folder: Path) -> None:
    """Write the dataset; as in Spider, training never sees the database of the test."""
    write_json(folder / "train_spider.json", rows(TRAIN))
    write_json(folder / "dev.json", rows(DEV))
    write_json(folder / "tables.json", [{"db_id": db_id} for db_id in SCHEMAS])
    for db_id, script in SCHEMAS.items():
        write_database(folder / "database" / db_id / f"{db_id}.sqlite", script)
