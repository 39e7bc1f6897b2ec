CREATE TABLE farm (
  farm_id INTEGER PRIMARY KEY,
  farm_name TEXT,
  owner TEXT,
  county TEXT,
  scheme TEXT,
  joined_on DATE,
  hands INTEGER
);

CREATE TABLE field (
  field_id INTEGER PRIMARY KEY,
  farm_id INTEGER,
  label TEXT,
  soil TEXT,
  crop TEXT,
  grade INTEGER,
  hectares REAL,
  drained_in INTEGER,
  FOREIGN KEY (farm_id) REFERENCES farm (farm_id)
);

CREATE TABLE harvest (
  harvest_id INTEGER PRIMARY KEY,
  field_id INTEGER,
  season INTEGER,
  cut_on DATE,
  tonnes REAL,
  grade TEXT,
  buyer TEXT,
  sold_on DATE,
  eur_per_t INTEGER,
  FOREIGN KEY (field_id) REFERENCES field (field_id)
);

CREATE TABLE machine (
  machine_id INTEGER PRIMARY KEY,
  farm_id INTEGER,
  kind TEXT,
  maker TEXT,
  built INTEGER,
  hours INTEGER,
  fault TEXT,
  worth_eur INTEGER,
  FOREIGN KEY (farm_id) REFERENCES farm (farm_id)
);
