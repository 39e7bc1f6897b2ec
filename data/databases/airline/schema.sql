CREATE TABLE airport (
  airport_id INTEGER PRIMARY KEY,
  name TEXT,
  country TEXT,
  elevation INTEGER,
  gates INTEGER
);

CREATE TABLE airplane (
  airplane_id INTEGER PRIMARY KEY,
  model TEXT,
  seats INTEGER,
  build_year INTEGER,
  last_service DATE
);

CREATE TABLE pilot (
  pilot_id INTEGER PRIMARY KEY,
  name TEXT,
  rank TEXT,
  license_year INTEGER,
  flight_hours INTEGER
);

CREATE TABLE flight (
  flight_id INTEGER PRIMARY KEY,
  airport_id INTEGER,
  airplane_id INTEGER,
  pilot_id INTEGER,
  destination TEXT,
  meal TEXT,
  departure_date DATE,
  distance INTEGER,
  price INTEGER,
  FOREIGN KEY (airport_id) REFERENCES airport (airport_id),
  FOREIGN KEY (airplane_id) REFERENCES airplane (airplane_id),
  FOREIGN KEY (pilot_id) REFERENCES pilot (pilot_id)
);
