CREATE TABLE cooks (
  cook_id INTEGER PRIMARY KEY,
  cook_name TEXT,
  post TEXT,
  shift TEXT,
  origin TEXT,
  hired_on DATE,
  left_on DATE,
  wage_eur REAL
);

CREATE TABLE recipes (
  recipe_id INTEGER PRIMARY KEY,
  cook_id INTEGER,
  title TEXT,
  course TEXT,
  method TEXT,
  skill TEXT,
  minutes INTEGER,
  oven_c INTEGER,
  serves INTEGER,
  added_on DATE,
  FOREIGN KEY (cook_id) REFERENCES cooks (cook_id)
);

CREATE TABLE ingredients (
  ingredient_id INTEGER PRIMARY KEY,
  label TEXT,
  food_group TEXT,
  storage TEXT,
  origin TEXT,
  eur_per_kg REAL,
  stock_kg REAL,
  shelf_days INTEGER
);

CREATE TABLE recipe_items (
  item_id INTEGER PRIMARY KEY,
  recipe_id INTEGER,
  ingredient_id INTEGER,
  grams INTEGER,
  cut TEXT,
  FOREIGN KEY (recipe_id) REFERENCES recipes (recipe_id),
  FOREIGN KEY (ingredient_id) REFERENCES ingredients (ingredient_id)
);
