CREATE TABLE peak (
  peak_id INTEGER PRIMARY KEY,
  peak_name TEXT,
  country TEXT,
  grade TEXT,
  elevation_m INTEGER,
  first_ascent INTEGER,
  permit_usd INTEGER
);

CREATE TABLE climber (
  climber_id INTEGER PRIMARY KEY,
  full_name TEXT,
  country TEXT,
  born_in INTEGER,
  club TEXT
);

CREATE TABLE expedition (
  expedition_id INTEGER PRIMARY KEY,
  peak_id INTEGER,
  leader_id INTEGER,
  style TEXT,
  outcome TEXT,
  left_on DATE,
  back_on DATE,
  porters INTEGER,
  budget_eur INTEGER,
  FOREIGN KEY (peak_id) REFERENCES peak (peak_id),
  FOREIGN KEY (leader_id) REFERENCES climber (climber_id)
);

CREATE TABLE crew (
  crew_id INTEGER PRIMARY KEY,
  expedition_id INTEGER,
  climber_id INTEGER,
  duty TEXT,
  oxygen TEXT,
  load_kg REAL,
  FOREIGN KEY (expedition_id) REFERENCES expedition (expedition_id),
  FOREIGN KEY (climber_id) REFERENCES climber (climber_id)
);
