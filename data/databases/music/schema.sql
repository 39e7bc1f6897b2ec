CREATE TABLE singer (
  singer_id INTEGER PRIMARY KEY,
  name TEXT,
  country TEXT,
  voice TEXT,
  age INTEGER
);

CREATE TABLE album (
  album_id INTEGER PRIMARY KEY,
  singer_id INTEGER,
  title TEXT,
  genre TEXT,
  release_year INTEGER,
  tracks INTEGER,
  sales INTEGER,
  FOREIGN KEY (singer_id) REFERENCES singer (singer_id)
);

CREATE TABLE song (
  song_id INTEGER PRIMARY KEY,
  album_id INTEGER,
  title TEXT,
  mood TEXT,
  seconds INTEGER,
  FOREIGN KEY (album_id) REFERENCES album (album_id)
);

CREATE TABLE concert (
  concert_id INTEGER PRIMARY KEY,
  singer_id INTEGER,
  city TEXT,
  concert_date DATE,
  audience INTEGER,
  ticket_price INTEGER,
  FOREIGN KEY (singer_id) REFERENCES singer (singer_id)
);
