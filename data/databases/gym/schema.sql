CREATE TABLE club (
  club_id INTEGER PRIMARY KEY,
  name TEXT,
  town TEXT,
  opened_on DATE,
  floor_m2 INTEGER,
  lockers INTEGER,
  extra TEXT
);

CREATE TABLE trainer (
  trainer_id INTEGER PRIMARY KEY,
  club_id INTEGER,
  full_name TEXT,
  specialty TEXT,
  contract TEXT,
  hourly_gbp REAL,
  hired_on DATE,
  FOREIGN KEY (club_id) REFERENCES club (club_id)
);

CREATE TABLE member (
  member_id INTEGER PRIMARY KEY,
  club_id INTEGER,
  full_name TEXT,
  born INTEGER,
  plan TEXT,
  monthly_gbp INTEGER,
  joined_on DATE,
  quit_on DATE,
  FOREIGN KEY (club_id) REFERENCES club (club_id)
);

CREATE TABLE class (
  class_id INTEGER PRIMARY KEY,
  trainer_id INTEGER,
  title TEXT,
  weekday TEXT,
  level TEXT,
  minutes INTEGER,
  spots INTEGER,
  FOREIGN KEY (trainer_id) REFERENCES trainer (trainer_id)
);

CREATE TABLE signup (
  signup_id INTEGER PRIMARY KEY,
  class_id INTEGER,
  member_id INTEGER,
  signed_on DATE,
  outcome TEXT,
  stars INTEGER,
  FOREIGN KEY (class_id) REFERENCES class (class_id),
  FOREIGN KEY (member_id) REFERENCES member (member_id)
);
