CREATE TABLE museum (
  museum_id INTEGER PRIMARY KEY,
  name TEXT,
  city TEXT,
  opening_year INTEGER,
  entry_fee INTEGER,
  visitors INTEGER
);

CREATE TABLE artist (
  artist_id INTEGER PRIMARY KEY,
  name TEXT,
  nationality TEXT,
  birth_year INTEGER,
  death_year INTEGER
);

CREATE TABLE painting (
  painting_id INTEGER PRIMARY KEY,
  artist_id INTEGER,
  museum_id INTEGER,
  title TEXT,
  technique TEXT,
  year INTEGER,
  height INTEGER,
  value INTEGER,
  FOREIGN KEY (artist_id) REFERENCES artist (artist_id),
  FOREIGN KEY (museum_id) REFERENCES museum (museum_id)
);
