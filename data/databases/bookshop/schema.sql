CREATE TABLE author (
  author_id INTEGER PRIMARY KEY,
  name TEXT,
  country TEXT,
  birth_year INTEGER,
  awards INTEGER
);

CREATE TABLE book (
  book_id INTEGER PRIMARY KEY,
  author_id INTEGER,
  title TEXT,
  genre TEXT,
  language TEXT,
  pages INTEGER,
  price REAL,
  FOREIGN KEY (author_id) REFERENCES author (author_id)
);

CREATE TABLE purchase (
  purchase_id INTEGER PRIMARY KEY,
  book_id INTEGER,
  customer TEXT,
  payment TEXT,
  copies INTEGER,
  FOREIGN KEY (book_id) REFERENCES book (book_id)
);
