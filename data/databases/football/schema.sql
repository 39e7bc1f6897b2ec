CREATE TABLE team (
  team_id INTEGER PRIMARY KEY,
  name TEXT,
  city TEXT,
  founded_year INTEGER,
  budget INTEGER
);

CREATE TABLE coach (
  coach_id INTEGER PRIMARY KEY,
  team_id INTEGER,
  name TEXT,
  role TEXT,
  hire_year INTEGER,
  salary INTEGER,
  FOREIGN KEY (team_id) REFERENCES team (team_id)
);

CREATE TABLE player (
  player_id INTEGER PRIMARY KEY,
  team_id INTEGER,
  name TEXT,
  position TEXT,
  country TEXT,
  age INTEGER,
  goals INTEGER,
  FOREIGN KEY (team_id) REFERENCES team (team_id)
);

CREATE TABLE game (
  game_id INTEGER PRIMARY KEY,
  team_id INTEGER,
  referee TEXT,
  season INTEGER,
  home_goals INTEGER,
  attendance INTEGER,
  FOREIGN KEY (team_id) REFERENCES team (team_id)
);
