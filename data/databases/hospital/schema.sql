CREATE TABLE doctor (
  doctor_id INTEGER PRIMARY KEY,
  name TEXT,
  specialty TEXT,
  floor INTEGER,
  salary INTEGER
);

CREATE TABLE patient (
  patient_id INTEGER PRIMARY KEY,
  doctor_id INTEGER,
  name TEXT,
  city TEXT,
  insurance TEXT,
  age INTEGER,
  weight REAL,
  FOREIGN KEY (doctor_id) REFERENCES doctor (doctor_id)
);

CREATE TABLE visit (
  visit_id INTEGER PRIMARY KEY,
  patient_id INTEGER,
  reason TEXT,
  visit_date DATE,
  follow_up_date DATE,
  cost INTEGER,
  FOREIGN KEY (patient_id) REFERENCES patient (patient_id)
);

CREATE TABLE prescription (
  prescription_id INTEGER PRIMARY KEY,
  visit_id INTEGER,
  medicine TEXT,
  time_of_day TEXT,
  days INTEGER,
  price REAL,
  FOREIGN KEY (visit_id) REFERENCES visit (visit_id)
);
