CREATE TABLE agent (
  agent_id INTEGER PRIMARY KEY,
  full_name TEXT,
  district TEXT,
  specialism TEXT,
  contract TEXT,
  joined_on DATE,
  commission_pct REAL
);

CREATE TABLE home (
  home_id INTEGER PRIMARY KEY,
  agent_id INTEGER,
  address TEXT,
  district TEXT,
  dwelling TEXT,
  bedrooms INTEGER,
  floor_m2 INTEGER,
  garden_m2 INTEGER,
  energy_grade TEXT,
  asking_eur INTEGER,
  listed_on DATE,
  FOREIGN KEY (agent_id) REFERENCES agent (agent_id)
);

CREATE TABLE viewing (
  viewing_id INTEGER PRIMARY KEY,
  home_id INTEGER,
  visitor TEXT,
  viewed_on DATE,
  minutes INTEGER,
  feedback TEXT,
  FOREIGN KEY (home_id) REFERENCES home (home_id)
);

CREATE TABLE offer (
  offer_id INTEGER PRIMARY KEY,
  home_id INTEGER,
  buyer TEXT,
  made_on DATE,
  bid_eur INTEGER,
  funding TEXT,
  outcome TEXT,
  FOREIGN KEY (home_id) REFERENCES home (home_id)
);
