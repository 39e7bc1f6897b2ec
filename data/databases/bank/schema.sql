CREATE TABLE branch (
  branch_id INTEGER PRIMARY KEY,
  name TEXT,
  city TEXT,
  manager TEXT,
  employees INTEGER
);

CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY,
  branch_id INTEGER,
  name TEXT,
  job TEXT,
  age INTEGER,
  income INTEGER,
  FOREIGN KEY (branch_id) REFERENCES branch (branch_id)
);

CREATE TABLE account (
  account_id INTEGER PRIMARY KEY,
  customer_id INTEGER,
  type TEXT,
  currency TEXT,
  opening_year INTEGER,
  closing_year INTEGER,
  balance REAL,
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id)
);

CREATE TABLE payment (
  payment_id INTEGER PRIMARY KEY,
  account_id INTEGER,
  purpose TEXT,
  payment_date DATE,
  amount REAL,
  FOREIGN KEY (account_id) REFERENCES account (account_id)
);
