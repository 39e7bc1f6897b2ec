CREATE TABLE maker (
  maker_id INTEGER PRIMARY KEY,
  firm TEXT,
  country TEXT,
  headcount INTEGER,
  since INTEGER,
  lead_days INTEGER
);

CREATE TABLE medicine (
  medicine_id INTEGER PRIMARY KEY,
  maker_id INTEGER,
  brand TEXT,
  treats TEXT,
  form TEXT,
  rx_only TEXT,
  pack_eur REAL,
  on_hand INTEGER,
  FOREIGN KEY (maker_id) REFERENCES maker (maker_id)
);

CREATE TABLE patient (
  patient_id INTEGER PRIMARY KEY,
  full_name TEXT,
  born_on DATE,
  village TEXT,
  allergy TEXT,
  since INTEGER
);

CREATE TABLE sale (
  sale_id INTEGER PRIMARY KEY,
  medicine_id INTEGER,
  patient_id INTEGER,
  sold_on DATE,
  packs INTEGER,
  paid_by TEXT,
  discount_pct INTEGER,
  FOREIGN KEY (medicine_id) REFERENCES medicine (medicine_id),
  FOREIGN KEY (patient_id) REFERENCES patient (patient_id)
);
