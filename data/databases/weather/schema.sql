CREATE TABLE station (
  station_id INTEGER PRIMARY KEY,
  place TEXT,
  country TEXT,
  terrain TEXT,
  altitude_m INTEGER,
  keeper TEXT,
  sensors INTEGER,
  running_since INTEGER
);

CREATE TABLE reading (
  reading_id INTEGER PRIMARY KEY,
  station_id INTEGER,
  taken_on DATE,
  sky TEXT,
  noon_c REAL,
  rain_mm REAL,
  gust_kmh INTEGER,
  FOREIGN KEY (station_id) REFERENCES station (station_id)
);

CREATE TABLE warning (
  warning_id INTEGER PRIMARY KEY,
  station_id INTEGER,
  hazard TEXT,
  colour TEXT,
  issued_on DATE,
  lifted_on DATE,
  households INTEGER,
  FOREIGN KEY (station_id) REFERENCES station (station_id)
);

CREATE TABLE storm (
  storm_id INTEGER PRIMARY KEY,
  station_id INTEGER,
  nickname TEXT,
  formed_on DATE,
  died_out_on DATE,
  gust_kmh INTEGER,
  injured INTEGER,
  damage_meur REAL,
  FOREIGN KEY (station_id) REFERENCES station (station_id)
);
