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
  publication_year INTEGER,
  pages INTEGER,
  price REAL,
  FOREIGN KEY (author_id) REFERENCES author (author_id)
);

CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY,
  name TEXT,
  city TEXT,
  favorite_genre TEXT,
  join_year INTEGER
);

CREATE TABLE purchase (
  purchase_id INTEGER PRIMARY KEY,
  book_id INTEGER,
  customer_id INTEGER,
  payment TEXT,
  purchase_date DATE,
  copies INTEGER,
  FOREIGN KEY (book_id) REFERENCES book (book_id),
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id)
);

CREATE TABLE review (
  review_id INTEGER PRIMARY KEY,
  book_id INTEGER,
  customer_id INTEGER,
  opinion TEXT,
  stars INTEGER,
  helpful_votes INTEGER,
  FOREIGN KEY (book_id) REFERENCES book (book_id),
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id)
);
