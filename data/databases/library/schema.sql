CREATE TABLE branch (
  branch_id INTEGER PRIMARY KEY,
  name TEXT,
  district TEXT,
  opening_year INTEGER,
  seats INTEGER
);

CREATE TABLE book (
  book_id INTEGER PRIMARY KEY,
  branch_id INTEGER,
  title TEXT,
  author TEXT,
  format TEXT,
  publication_year INTEGER,
  pages INTEGER,
  copies INTEGER,
  FOREIGN KEY (branch_id) REFERENCES branch (branch_id)
);

CREATE TABLE member (
  member_id INTEGER PRIMARY KEY,
  branch_id INTEGER,
  name TEXT,
  membership TEXT,
  occupation TEXT,
  join_date DATE,
  fines REAL,
  FOREIGN KEY (branch_id) REFERENCES branch (branch_id)
);

CREATE TABLE loan (
  loan_id INTEGER PRIMARY KEY,
  book_id INTEGER,
  member_id INTEGER,
  status TEXT,
  loan_date DATE,
  return_date DATE,
  renewals INTEGER,
  FOREIGN KEY (book_id) REFERENCES book (book_id),
  FOREIGN KEY (member_id) REFERENCES member (member_id)
);
