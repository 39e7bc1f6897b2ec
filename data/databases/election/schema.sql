CREATE TABLE party (
  party_id INTEGER PRIMARY KEY,
  name TEXT,
  leaning TEXT,
  region TEXT,
  founded_in INTEGER,
  members INTEGER
);

CREATE TABLE district (
  district_id INTEGER PRIMARY KEY,
  name TEXT,
  region TEXT,
  electorate INTEGER,
  polling_places INTEGER,
  turnout_pct REAL
);

CREATE TABLE candidate (
  candidate_id INTEGER PRIMARY KEY,
  district_id INTEGER,
  party_id INTEGER,
  name TEXT,
  gender TEXT,
  born_in INTEGER,
  occupation TEXT,
  votes INTEGER,
  FOREIGN KEY (district_id) REFERENCES district (district_id),
  FOREIGN KEY (party_id) REFERENCES party (party_id)
);

CREATE TABLE donation (
  donation_id INTEGER PRIMARY KEY,
  candidate_id INTEGER,
  source TEXT,
  given_on DATE,
  amount_eur INTEGER,
  FOREIGN KEY (candidate_id) REFERENCES candidate (candidate_id)
);
