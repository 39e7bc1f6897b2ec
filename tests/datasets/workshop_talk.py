"""How people talk: short, loose and misspelt questions; names in camelCase and in words between quotes."""

from pathlib import Path

from tests.datasets.dataset_files import about, read_pairs, write_thirds
from tests.sqlite_files import write_database

WORKSHOP = """
CREATE TABLE Mechanics (mechanicId INTEGER PRIMARY KEY, fullName TEXT, hourlyPay REAL, startedIn INTEGER, town TEXT);
CREATE TABLE Bikes (bikeId INTEGER PRIMARY KEY, brandName TEXT, bikeType TEXT, "frame size" INTEGER, colour TEXT);
CREATE TABLE Repairs (repairId INTEGER PRIMARY KEY, bikeId INTEGER REFERENCES Bikes(bikeId),
    mechanicId INTEGER REFERENCES Mechanics(mechanicId), whatWasDone TEXT, "price paid" REAL, hoursSpent REAL);
INSERT INTO Mechanics VALUES (1, 'Gus', 21.5, 2012, 'Ghent'), (2, 'Lotte', 26, 2009, 'Bruges'),
    (3, 'Emre', 18, 2021, 'Ghent'), (4, 'Sanne', 24, 2017, 'Aalst');
INSERT INTO Bikes VALUES (1, 'Kestrel', 'road', 54, 'red'), (2, 'Monty', 'cargo', 50, 'green'),
    (3, 'Kestrel', 'gravel', 56, 'blue'), (4, 'Volt', 'electric', 48, 'black'), (5, 'Oxbow', 'cargo', 52, 'red');
INSERT INTO Repairs VALUES (1, 1, 1, 'new chain', 45, 0.5), (2, 2, 2, 'brakes', 80, 1.5), (3, 4, 2, 'battery', 310, 1),
    (4, 3, 3, 'flat tyre', 15, 0.4), (5, 5, 4, 'brakes', 75, 2), (6, 1, 3, 'flat tyre', 18, 0.5),
    (7, 4, 1, 'new chain', 52, 0.8);
"""
PAIRS = """
how many bikes have we got?
SELECT COUNT(*) FROM Bikes
how many repairs so far
SELECT COUNT(*) FROM Repairs
How many people work here as mechanics?
SELECT COUNT(*) FROM Mechanics
who earns the most?
SELECT fullName FROM Mechanics ORDER BY hourlyPay DESC LIMIT 1
Who gets the lowest pay
SELECT fullName FROM Mechanics ORDER BY hourlyPay LIMIT 1
who has been here longest
SELECT fullName FROM Mechanics ORDER BY startedIn LIMIT 1
newest mechanic?
SELECT fullName FROM Mechanics ORDER BY startedIn DESC LIMIT 1
whos from Ghent?
SELECT fullName FROM Mechanics WHERE town = 'Ghent'
anyone from Bruges?
SELECT fullName FROM Mechanics WHERE town = 'Bruges'
mechanics living in Aalst
SELECT fullName FROM Mechanics WHERE town = 'Aalst'
where does Emre live?
SELECT town FROM Mechanics WHERE fullName = 'Emre'
where does Lotte live
SELECT town FROM Mechanics WHERE fullName = 'Lotte'
which town is Sanne in
SELECT town FROM Mechanics WHERE fullName = 'Sanne'
what do we pay Gus?
SELECT hourlyPay FROM Mechanics WHERE fullName = 'Gus'
what do we pay Emre an hour?
SELECT hourlyPay FROM Mechanics WHERE fullName = 'Emre'
Sanne's pay
SELECT hourlyPay FROM Mechanics WHERE fullName = 'Sanne'
when did Lotte start?
SELECT startedIn FROM Mechanics WHERE fullName = 'Lotte'
when did Gus start
SELECT startedIn FROM Mechanics WHERE fullName = 'Gus'
who started after 2015?
SELECT fullName FROM Mechanics WHERE startedIn > 2015
who was here before 2010
SELECT fullName FROM Mechanics WHERE startedIn < 2010
who makes over 22 an hour?
SELECT fullName FROM Mechanics WHERE hourlyPay > 22
who makes less than 20?
SELECT fullName FROM Mechanics WHERE hourlyPay < 20
avg pay pls
SELECT AVG(hourlyPay) FROM Mechanics
average frame size
SELECT AVG("frame size") FROM Bikes
biggest frame size we have
SELECT MAX("frame size") FROM Bikes
smallest frame
SELECT MIN("frame size") FROM Bikes
what brands do we see
SELECT DISTINCT brandName FROM Bikes
what types of bike are there?
SELECT DISTINCT bikeType FROM Bikes
wich colours
SELECT DISTINCT colour FROM Bikes
what kinds of jobs have been done
SELECT DISTINCT whatWasDone FROM Repairs
how many cargo bikes?
SELECT COUNT(*) FROM Bikes WHERE bikeType = 'cargo'
how many road bikes?
SELECT COUNT(*) FROM Bikes WHERE bikeType = 'road'
how many are red
SELECT COUNT(*) FROM Bikes WHERE colour = 'red'
how many are Kestrel
SELECT COUNT(*) FROM Bikes WHERE brandName = 'Kestrel'
brands that come in red
SELECT brandName FROM Bikes WHERE colour = 'red'
who makes a blue one
SELECT brandName FROM Bikes WHERE colour = 'blue'
who makes cargo bikes?
SELECT brandName FROM Bikes WHERE bikeType = 'cargo'
brand of the electric one
SELECT brandName FROM Bikes WHERE bikeType = 'electric'
whats the frame size of the Volt
SELECT "frame size" FROM Bikes WHERE brandName = 'Volt'
frame size of the Oxbow?
SELECT "frame size" FROM Bikes WHERE brandName = 'Oxbow'
frames over 53
SELECT brandName FROM Bikes WHERE "frame size" > 53
frames under 50
SELECT brandName FROM Bikes WHERE "frame size" < 50
how many times did we do brakes?
SELECT COUNT(*) FROM Repairs WHERE whatWasDone = 'brakes'
how many flat tyre jobs
SELECT COUNT(*) FROM Repairs WHERE whatWasDone = 'flat tyre'
how much did we make in total?
SELECT SUM("price paid") FROM Repairs
how many hours in total
SELECT SUM(hoursSpent) FROM Repairs
what does a new chain cost on average
SELECT AVG("price paid") FROM Repairs WHERE whatWasDone = 'new chain'
average price for brakes
SELECT AVG("price paid") FROM Repairs WHERE whatWasDone = 'brakes'
dearest job
SELECT whatWasDone FROM Repairs ORDER BY "price paid" DESC LIMIT 1
cheapest job we did
SELECT whatWasDone FROM Repairs ORDER BY "price paid" LIMIT 1
which job took the most hours
SELECT whatWasDone FROM Repairs ORDER BY hoursSpent DESC LIMIT 1
anything above 100?
SELECT whatWasDone FROM Repairs WHERE "price paid" > 100
jobs above 50
SELECT whatWasDone FROM Repairs WHERE "price paid" > 50
jobs by kind, how many each
SELECT whatWasDone, COUNT(*) FROM Repairs GROUP BY whatWasDone
bikes per brand
SELECT brandName, COUNT(*) FROM Bikes GROUP BY brandName
bikes per colour
SELECT colour, COUNT(*) FROM Bikes GROUP BY colour
mechanics per town
SELECT town, COUNT(*) FROM Mechanics GROUP BY town
what has Lotte repaired?
SELECT whatWasDone FROM Repairs JOIN Mechanics ON Repairs.mechanicId = Mechanics.mechanicId WHERE fullName = 'Lotte'
what has Emre done?
SELECT whatWasDone FROM Repairs JOIN Mechanics ON Repairs.mechanicId = Mechanics.mechanicId WHERE fullName = 'Emre'
how many jobs did Gus do
SELECT COUNT(*) FROM Repairs JOIN Mechanics ON Repairs.mechanicId = Mechanics.mechanicId WHERE fullName = 'Gus'
"""


def write(folder: Path) -> None:
    """Write the dataset; every third question is a test."""
    write_database(folder / "databases" / "workshop" / "workshop.sqlite", WORKSHOP)
    write_thirds(folder, about("workshop", read_pairs(PAIRS)))
