CREATE TABLE desk (
  desk_id INTEGER PRIMARY KEY,
  label TEXT,
  section TEXT,
  chief TEXT,
  seats INTEGER,
  budget_eur INTEGER
);

CREATE TABLE journalist (
  journalist_id INTEGER PRIMARY KEY,
  desk_id INTEGER,
  byline TEXT,
  post TEXT,
  contract TEXT,
  born INTEGER,
  hired_on DATE,
  pay_eur INTEGER,
  FOREIGN KEY (desk_id) REFERENCES desk (desk_id)
);

CREATE TABLE article (
  article_id INTEGER PRIMARY KEY,
  journalist_id INTEGER,
  headline TEXT,
  genre TEXT,
  printed_on DATE,
  words INTEGER,
  clicks INTEGER,
  access TEXT,
  FOREIGN KEY (journalist_id) REFERENCES journalist (journalist_id)
);

CREATE TABLE subscriber (
  subscriber_id INTEGER PRIMARY KEY,
  full_name TEXT,
  born INTEGER,
  town TEXT,
  plan TEXT,
  fee_eur REAL,
  started_on DATE,
  ended_on DATE
);

CREATE TABLE letter (
  letter_id INTEGER PRIMARY KEY,
  subscriber_id INTEGER,
  article_id INTEGER,
  tone TEXT,
  sent_on DATE,
  printed_on DATE,
  FOREIGN KEY (subscriber_id) REFERENCES subscriber (subscriber_id),
  FOREIGN KEY (article_id) REFERENCES article (article_id)
);
