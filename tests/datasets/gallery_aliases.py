"""A curator's hand: names in capitals, and every query aliases its tables as ``t_0``, even where one would do."""

from pathlib import Path

from tests.datasets.dataset_files import about, read_pairs, write_thirds
from tests.sqlite_files import write_database

GALLERY = """
CREATE TABLE ARTIST (ARTIST_ID INTEGER PRIMARY KEY, NAME TEXT, COUNTRY TEXT, BIRTH_YEAR INTEGER);
CREATE TABLE PAINTING (PAINTING_ID INTEGER PRIMARY KEY, TITLE TEXT, ARTIST_ID INTEGER REFERENCES ARTIST(ARTIST_ID),
    YEAR_MADE INTEGER, STYLE TEXT, PRICE REAL, ROOM TEXT);
CREATE TABLE LOAN (LOAN_ID INTEGER PRIMARY KEY, PAINTING_ID INTEGER REFERENCES PAINTING(PAINTING_ID), BORROWER TEXT,
    DAYS INTEGER);
INSERT INTO ARTIST VALUES (1, 'Odile Brand', 'Belgium', 1871), (2, 'Teo Salas', 'Spain', 1890),
    (3, 'Mirka Novak', 'Poland', 1902), (4, 'Ansel Vries', 'Belgium', 1925), (5, 'Pia Lund', 'Norway', 1948);
INSERT INTO PAINTING VALUES (1, 'Low Tide', 1, 1899, 'Realism', 12000, 'A1'), (2, 'Red Kitchen', 1, 1910, 'Fauvism',
    30500, 'A2'), (3, 'Guitar at Noon', 2, 1921, 'Cubism', 88000, 'B1'), (4, 'The Quarry', 3, 1933, 'Realism', 4100,
    'B1'), (5, 'Harbour 7', 4, 1958, 'Abstract', 52000, 'C3'), (6, 'Nets', 4, 1961, 'Abstract', 47000, 'C3'),
    (7, 'Winter Bus', 5, 1979, 'Realism', 9000, 'C4'), (8, 'Two Plates', 2, 1924, 'Cubism', 61000, 'B2');
INSERT INTO LOAN VALUES (1, 3, 'Lyon', 90), (2, 3, 'Porto', 30), (3, 5, 'Lyon', 120), (4, 1, 'Bergen', 14),
    (5, 8, 'Porto', 60), (6, 7, 'Bergen', 45);
"""
PAIRS = """
how many paintings are there
SELECT COUNT(*) FROM PAINTING AS t_0
how many artists do we hold
SELECT COUNT(*) FROM ARTIST AS t_0
number of loans
SELECT COUNT(*) FROM LOAN AS t_0
what titles hang in room B1
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.ROOM = 'B1'
what titles hang in room C3
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.ROOM = 'C3'
which paintings are in room A2
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.ROOM = 'A2'
artists from Belgium
SELECT t_0.NAME FROM ARTIST AS t_0 WHERE t_0.COUNTRY = 'Belgium'
artists from Spain
SELECT t_0.NAME FROM ARTIST AS t_0 WHERE t_0.COUNTRY = 'Spain'
who comes from Norway
SELECT t_0.NAME FROM ARTIST AS t_0 WHERE t_0.COUNTRY = 'Norway'
where is Teo Salas from
SELECT t_0.COUNTRY FROM ARTIST AS t_0 WHERE t_0.NAME = 'Teo Salas'
which country is Pia Lund from
SELECT t_0.COUNTRY FROM ARTIST AS t_0 WHERE t_0.NAME = 'Pia Lund'
when was Mirka Novak born
SELECT t_0.BIRTH_YEAR FROM ARTIST AS t_0 WHERE t_0.NAME = 'Mirka Novak'
when was Ansel Vries born
SELECT t_0.BIRTH_YEAR FROM ARTIST AS t_0 WHERE t_0.NAME = 'Ansel Vries'
when was The Quarry made
SELECT t_0.YEAR_MADE FROM PAINTING AS t_0 WHERE t_0.TITLE = 'The Quarry'
what year is Low Tide
SELECT t_0.YEAR_MADE FROM PAINTING AS t_0 WHERE t_0.TITLE = 'Low Tide'
in which room is Winter Bus
SELECT t_0.ROOM FROM PAINTING AS t_0 WHERE t_0.TITLE = 'Winter Bus'
which room has Nets
SELECT t_0.ROOM FROM PAINTING AS t_0 WHERE t_0.TITLE = 'Nets'
price of Guitar at Noon
SELECT t_0.PRICE FROM PAINTING AS t_0 WHERE t_0.TITLE = 'Guitar at Noon'
what does Harbour 7 cost
SELECT t_0.PRICE FROM PAINTING AS t_0 WHERE t_0.TITLE = 'Harbour 7'
the price of Two Plates please
SELECT t_0.PRICE FROM PAINTING AS t_0 WHERE t_0.TITLE = 'Two Plates'
how many paintings in the style Cubism
SELECT COUNT(*) FROM PAINTING AS t_0 WHERE t_0.STYLE = 'Cubism'
how many paintings are Realism
SELECT COUNT(*) FROM PAINTING AS t_0 WHERE t_0.STYLE = 'Realism'
count the Abstract paintings
SELECT COUNT(*) FROM PAINTING AS t_0 WHERE t_0.STYLE = 'Abstract'
titles with price over 50000
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.PRICE > 50000
titles with price under 10000
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.PRICE < 10000
titles that cost more than 40000
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.PRICE > 40000
artists born after 1900
SELECT t_0.NAME FROM ARTIST AS t_0 WHERE t_0.BIRTH_YEAR > 1900
artists born before 1900
SELECT t_0.NAME FROM ARTIST AS t_0 WHERE t_0.BIRTH_YEAR < 1900
who was born after 1930
SELECT t_0.NAME FROM ARTIST AS t_0 WHERE t_0.BIRTH_YEAR > 1930
which paintings were made before 1915
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.YEAR_MADE < 1915
which paintings were made after 1950
SELECT t_0.TITLE FROM PAINTING AS t_0 WHERE t_0.YEAR_MADE > 1950
loans longer than 50 days
SELECT t_0.BORROWER FROM LOAN AS t_0 WHERE t_0.DAYS > 50
loans shorter than 40 days
SELECT t_0.BORROWER FROM LOAN AS t_0 WHERE t_0.DAYS < 40
the most expensive painting
SELECT t_0.TITLE FROM PAINTING AS t_0 ORDER BY t_0.PRICE DESC LIMIT 1
the cheapest painting
SELECT t_0.TITLE FROM PAINTING AS t_0 ORDER BY t_0.PRICE LIMIT 1
the oldest painting
SELECT t_0.TITLE FROM PAINTING AS t_0 ORDER BY t_0.YEAR_MADE LIMIT 1
who was born first
SELECT t_0.NAME FROM ARTIST AS t_0 ORDER BY t_0.BIRTH_YEAR LIMIT 1
average price of Realism
SELECT AVG(t_0.PRICE) FROM PAINTING AS t_0 WHERE t_0.STYLE = 'Realism'
average price of Cubism
SELECT AVG(t_0.PRICE) FROM PAINTING AS t_0 WHERE t_0.STYLE = 'Cubism'
total days lent to Lyon
SELECT SUM(t_0.DAYS) FROM LOAN AS t_0 WHERE t_0.BORROWER = 'Lyon'
total days lent to Porto
SELECT SUM(t_0.DAYS) FROM LOAN AS t_0 WHERE t_0.BORROWER = 'Porto'
highest price
SELECT MAX(t_0.PRICE) FROM PAINTING AS t_0
lowest price
SELECT MIN(t_0.PRICE) FROM PAINTING AS t_0
all styles
SELECT DISTINCT t_0.STYLE FROM PAINTING AS t_0
all countries
SELECT DISTINCT t_0.COUNTRY FROM ARTIST AS t_0
all borrowers
SELECT DISTINCT t_0.BORROWER FROM LOAN AS t_0
paintings per style
SELECT t_0.STYLE, COUNT(*) FROM PAINTING AS t_0 GROUP BY t_0.STYLE
artists per country
SELECT t_0.COUNTRY, COUNT(*) FROM ARTIST AS t_0 GROUP BY t_0.COUNTRY
loans per borrower
SELECT t_0.BORROWER, COUNT(*) FROM LOAN AS t_0 GROUP BY t_0.BORROWER
what did Odile Brand paint
SELECT t_0.TITLE FROM PAINTING AS t_0 JOIN ARTIST AS t_1 ON t_0.ARTIST_ID = t_1.ARTIST_ID WHERE t_1.NAME = 'Odile Brand'
what did Teo Salas paint
SELECT t_0.TITLE FROM PAINTING AS t_0 JOIN ARTIST AS t_1 ON t_0.ARTIST_ID = t_1.ARTIST_ID WHERE t_1.NAME = 'Teo Salas'
works by Ansel Vries
SELECT t_0.TITLE FROM PAINTING AS t_0 JOIN ARTIST AS t_1 ON t_0.ARTIST_ID = t_1.ARTIST_ID WHERE t_1.NAME = 'Ansel Vries'
who painted Red Kitchen
SELECT t_1.NAME FROM PAINTING AS t_0 JOIN ARTIST AS t_1 ON t_0.ARTIST_ID = t_1.ARTIST_ID WHERE t_0.TITLE = 'Red Kitchen'
who painted Nets
SELECT t_1.NAME FROM PAINTING AS t_0 JOIN ARTIST AS t_1 ON t_0.ARTIST_ID = t_1.ARTIST_ID WHERE t_0.TITLE = 'Nets'
"""


def write(folder: Path) -> None:
    """Write the dataset; every third question is a test."""
    write_database(folder / "databases" / "GALLERY" / "GALLERY.sqlite", GALLERY)
    write_thirds(folder, about("GALLERY", read_pairs(PAIRS)))
