CREATE TABLE restaurant (
  restaurant_id INTEGER PRIMARY KEY,
  name TEXT,
  city TEXT,
  cuisine TEXT,
  rating REAL,
  seats INTEGER
);

CREATE TABLE dish (
  dish_id INTEGER PRIMARY KEY,
  restaurant_id INTEGER,
  name TEXT,
  course TEXT,
  price REAL,
  calories INTEGER,
  FOREIGN KEY (restaurant_id) REFERENCES restaurant (restaurant_id)
);

CREATE TABLE review (
  review_id INTEGER PRIMARY KEY,
  restaurant_id INTEGER,
  reviewer TEXT,
  occasion TEXT,
  year INTEGER,
  stars INTEGER,
  FOREIGN KEY (restaurant_id) REFERENCES restaurant (restaurant_id)
);
