CREATE TABLE keeper (
  keeper_id INTEGER PRIMARY KEY,
  name TEXT,
  shift TEXT,
  experience INTEGER,
  wage INTEGER
);

CREATE TABLE animal (
  animal_id INTEGER PRIMARY KEY,
  keeper_id INTEGER,
  name TEXT,
  species TEXT,
  origin TEXT,
  birth_year INTEGER,
  weight REAL,
  FOREIGN KEY (keeper_id) REFERENCES keeper (keeper_id)
);

CREATE TABLE feeding (
  feeding_id INTEGER PRIMARY KEY,
  animal_id INTEGER,
  food TEXT,
  hour INTEGER,
  portion REAL,
  FOREIGN KEY (animal_id) REFERENCES animal (animal_id)
);

CREATE TABLE checkup (
  checkup_id INTEGER PRIMARY KEY,
  animal_id INTEGER,
  vet TEXT,
  result TEXT,
  checkup_date DATE,
  cost INTEGER,
  FOREIGN KEY (animal_id) REFERENCES animal (animal_id)
);
