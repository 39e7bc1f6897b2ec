CREATE TABLE host (
  host_id INTEGER PRIMARY KEY,
  full_name TEXT,
  hometown TEXT,
  born INTEGER,
  day_job TEXT,
  fee_eur INTEGER
);

CREATE TABLE show (
  show_id INTEGER PRIMARY KEY,
  lead_id INTEGER,
  title TEXT,
  genre TEXT,
  cadence TEXT,
  launched_on DATE,
  ended_on DATE,
  subscribers INTEGER,
  FOREIGN KEY (lead_id) REFERENCES host (host_id)
);

CREATE TABLE episode (
  episode_id INTEGER PRIMARY KEY,
  show_id INTEGER,
  title TEXT,
  aired_on DATE,
  minutes INTEGER,
  plays INTEGER,
  guest TEXT,
  FOREIGN KEY (show_id) REFERENCES show (show_id)
);

CREATE TABLE ad_spot (
  spot_id INTEGER PRIMARY KEY,
  episode_id INTEGER,
  brand TEXT,
  slot TEXT,
  seconds INTEGER,
  fee_eur REAL,
  paid_on DATE,
  FOREIGN KEY (episode_id) REFERENCES episode (episode_id)
);
