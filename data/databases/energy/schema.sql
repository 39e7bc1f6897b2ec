CREATE TABLE employee (
  employee_id INTEGER PRIMARY KEY,
  manager_id INTEGER,
  name TEXT,
  job TEXT,
  hire_date DATE,
  salary INTEGER,
  FOREIGN KEY (manager_id) REFERENCES employee (employee_id)
);

CREATE TABLE tariff (
  tariff_id INTEGER PRIMARY KEY,
  name TEXT,
  energy_source TEXT,
  price_per_kwh REAL,
  monthly_fee REAL
);

CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY,
  tariff_id INTEGER,
  name TEXT,
  city TEXT,
  type TEXT,
  contract_date DATE,
  household_size INTEGER,
  FOREIGN KEY (tariff_id) REFERENCES tariff (tariff_id)
);

CREATE TABLE meter (
  meter_id INTEGER PRIMARY KEY,
  customer_id INTEGER,
  model TEXT,
  status TEXT,
  installation_date DATE,
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id)
);

CREATE TABLE reading (
  reading_id INTEGER PRIMARY KEY,
  meter_id INTEGER,
  method TEXT,
  reading_date DATE,
  usage_kwh INTEGER,
  FOREIGN KEY (meter_id) REFERENCES meter (meter_id)
);

CREATE TABLE repair (
  repair_id INTEGER PRIMARY KEY,
  meter_id INTEGER,
  employee_id INTEGER,
  fault TEXT,
  repair_date DATE,
  hours REAL,
  cost INTEGER,
  FOREIGN KEY (meter_id) REFERENCES meter (meter_id),
  FOREIGN KEY (employee_id) REFERENCES employee (employee_id)
);
