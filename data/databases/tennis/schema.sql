CREATE TABLE players (
  player_id INTEGER PRIMARY KEY,
  nation TEXT,
  full_name TEXT,
  hand TEXT,
  born_on DATE,
  turned_pro INTEGER,
  height_cm INTEGER,
  earnings_eur INTEGER,
  rank_points INTEGER,
  coach TEXT
);

CREATE TABLE tournaments (
  tournament_id INTEGER PRIMARY KEY,
  title TEXT,
  nation TEXT,
  surface TEXT,
  tier TEXT,
  starts_on DATE,
  ends_on DATE,
  purse_eur INTEGER,
  spectators INTEGER
);

CREATE TABLE matches (
  match_id INTEGER PRIMARY KEY,
  tournament_id INTEGER,
  winner_id INTEGER,
  loser_id INTEGER,
  stage TEXT,
  court TEXT,
  played_on DATE,
  sets INTEGER,
  minutes INTEGER,
  aces INTEGER,
  incident TEXT,
  FOREIGN KEY (tournament_id) REFERENCES tournaments (tournament_id),
  FOREIGN KEY (winner_id) REFERENCES players (player_id),
  FOREIGN KEY (loser_id) REFERENCES players (player_id)
);
