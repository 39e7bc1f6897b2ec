CREATE TABLE harbor (
  harbor_id INTEGER PRIMARY KEY,
  name TEXT,
  country TEXT,
  depth REAL,
  docks INTEGER
);

CREATE TABLE ship (
  ship_id INTEGER PRIMARY KEY,
  harbor_id INTEGER,
  name TEXT,
  type TEXT,
  captain TEXT,
  length INTEGER,
  build_year INTEGER,
  FOREIGN KEY (harbor_id) REFERENCES harbor (harbor_id)
);

CREATE TABLE sailor (
  sailor_id INTEGER PRIMARY KEY,
  ship_id INTEGER,
  name TEXT,
  job TEXT,
  age INTEGER,
  wage INTEGER,
  FOREIGN KEY (ship_id) REFERENCES ship (ship_id)
);

CREATE TABLE voyage (
  voyage_id INTEGER PRIMARY KEY,
  ship_id INTEGER,
  cargo TEXT,
  destination TEXT,
  departure_date DATE,
  days INTEGER,
  profit INTEGER,
  FOREIGN KEY (ship_id) REFERENCES ship (ship_id)
);
