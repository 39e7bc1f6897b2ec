CREATE TABLE screen (
  screen_id INTEGER PRIMARY KEY,
  nickname TEXT,
  house TEXT,
  projector TEXT,
  capacity INTEGER,
  refit_year INTEGER
);

CREATE TABLE film (
  film_id INTEGER PRIMARY KEY,
  title TEXT,
  director TEXT,
  genre TEXT,
  origin TEXT,
  released INTEGER,
  runtime_min INTEGER,
  min_age INTEGER,
  fee_eur INTEGER
);

CREATE TABLE showing (
  showing_id INTEGER PRIMARY KEY,
  film_id INTEGER,
  screen_id INTEGER,
  shown_on DATE,
  slot TEXT,
  version TEXT,
  ticket_eur REAL,
  sold INTEGER,
  FOREIGN KEY (film_id) REFERENCES film (film_id),
  FOREIGN KEY (screen_id) REFERENCES screen (screen_id)
);

CREATE TABLE hire (
  hire_id INTEGER PRIMARY KEY,
  screen_id INTEGER,
  client TEXT,
  occasion TEXT,
  hired_on DATE,
  hours INTEGER,
  guests INTEGER,
  fee_eur INTEGER,
  FOREIGN KEY (screen_id) REFERENCES screen (screen_id)
);
