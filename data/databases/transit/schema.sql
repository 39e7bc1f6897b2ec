CREATE TABLE depot (
  depot_id INTEGER PRIMARY KEY,
  name TEXT,
  district TEXT,
  opening_year INTEGER,
  places INTEGER
);

CREATE TABLE line (
  line_id INTEGER PRIMARY KEY,
  depot_id INTEGER,
  name TEXT,
  service TEXT,
  length_km REAL,
  fare REAL,
  FOREIGN KEY (depot_id) REFERENCES depot (depot_id)
);

CREATE TABLE stop (
  stop_id INTEGER PRIMARY KEY,
  name TEXT,
  shelter TEXT,
  zone INTEGER,
  opening_year INTEGER,
  daily_riders INTEGER
);

CREATE TABLE line_stop (
  line_stop_id INTEGER PRIMARY KEY,
  line_id INTEGER,
  stop_id INTEGER,
  direction TEXT,
  minute INTEGER,
  wait_minutes INTEGER,
  FOREIGN KEY (line_id) REFERENCES line (line_id),
  FOREIGN KEY (stop_id) REFERENCES stop (stop_id)
);

CREATE TABLE vehicle (
  vehicle_id INTEGER PRIMARY KEY,
  depot_id INTEGER,
  model TEXT,
  fuel TEXT,
  seats INTEGER,
  purchase_year INTEGER,
  retirement_year INTEGER,
  FOREIGN KEY (depot_id) REFERENCES depot (depot_id)
);

CREATE TABLE driver (
  driver_id INTEGER PRIMARY KEY,
  depot_id INTEGER,
  supervisor_id INTEGER,
  name TEXT,
  shift TEXT,
  hire_date DATE,
  wage INTEGER,
  FOREIGN KEY (depot_id) REFERENCES depot (depot_id),
  FOREIGN KEY (supervisor_id) REFERENCES driver (driver_id)
);

CREATE TABLE trip (
  trip_id INTEGER PRIMARY KEY,
  line_id INTEGER,
  vehicle_id INTEGER,
  driver_id INTEGER,
  status TEXT,
  trip_date DATE,
  delay_minutes INTEGER,
  passengers INTEGER,
  FOREIGN KEY (line_id) REFERENCES line (line_id),
  FOREIGN KEY (vehicle_id) REFERENCES vehicle (vehicle_id),
  FOREIGN KEY (driver_id) REFERENCES driver (driver_id)
);
