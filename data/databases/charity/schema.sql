CREATE TABLE donor (
  donor_id INTEGER PRIMARY KEY,
  giver_type TEXT,
  donor_name TEXT,
  country TEXT,
  donor_since INTEGER,
  mail_pref TEXT
);

CREATE TABLE project (
  project_id INTEGER PRIMARY KEY,
  title TEXT,
  cause TEXT,
  country TEXT,
  launched DATE,
  closed DATE,
  goal_eur INTEGER
);

CREATE TABLE donation (
  donation_id INTEGER PRIMARY KEY,
  donor_id INTEGER,
  project_id INTEGER,
  channel TEXT,
  amount_eur REAL,
  given_on DATE,
  thanked_on DATE,
  FOREIGN KEY (donor_id) REFERENCES donor (donor_id),
  FOREIGN KEY (project_id) REFERENCES project (project_id)
);

CREATE TABLE volunteer (
  volunteer_id INTEGER PRIMARY KEY,
  mentor_id INTEGER,
  full_name TEXT,
  birth_year INTEGER,
  skill TEXT,
  vetted_on DATE,
  FOREIGN KEY (mentor_id) REFERENCES volunteer (volunteer_id)
);

CREATE TABLE shift (
  shift_id INTEGER PRIMARY KEY,
  volunteer_id INTEGER,
  project_id INTEGER,
  task TEXT,
  worked_on DATE,
  hours REAL,
  FOREIGN KEY (volunteer_id) REFERENCES volunteer (volunteer_id),
  FOREIGN KEY (project_id) REFERENCES project (project_id)
);
