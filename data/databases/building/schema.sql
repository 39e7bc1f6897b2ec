CREATE TABLE worker (
  worker_id INTEGER PRIMARY KEY,
  full_name TEXT,
  trade TEXT,
  town TEXT,
  licence TEXT,
  hourly_eur REAL,
  hired_on DATE,
  sick_days INTEGER
);

CREATE TABLE site (
  site_id INTEGER PRIMARY KEY,
  foreman_id INTEGER,
  title TEXT,
  kind TEXT,
  town TEXT,
  client TEXT,
  floors INTEGER,
  contract_eur INTEGER,
  started_on DATE,
  handed_over_on DATE,
  FOREIGN KEY (foreman_id) REFERENCES worker (worker_id)
);

CREATE TABLE shift (
  shift_id INTEGER PRIMARY KEY,
  worker_id INTEGER,
  site_id INTEGER,
  worked_on DATE,
  slot TEXT,
  hours INTEGER,
  FOREIGN KEY (worker_id) REFERENCES worker (worker_id),
  FOREIGN KEY (site_id) REFERENCES site (site_id)
);

CREATE TABLE invoice (
  invoice_id INTEGER PRIMARY KEY,
  site_id INTEGER,
  supplier TEXT,
  item TEXT,
  amount_eur REAL,
  issued_on DATE,
  paid_on DATE,
  FOREIGN KEY (site_id) REFERENCES site (site_id)
);
