CREATE TABLE brewery (
  brewery_id INTEGER PRIMARY KEY,
  brand TEXT,
  county TEXT,
  founded INTEGER,
  ownership TEXT,
  headcount INTEGER
);

CREATE TABLE beer (
  beer_id INTEGER PRIMARY KEY,
  brewery_id INTEGER,
  label TEXT,
  style TEXT,
  abv REAL,
  bitterness INTEGER,
  launched INTEGER,
  FOREIGN KEY (brewery_id) REFERENCES brewery (brewery_id)
);

CREATE TABLE batch (
  batch_id INTEGER PRIMARY KEY,
  beer_id INTEGER,
  brewed_on DATE,
  bottled_on DATE,
  litres INTEGER,
  defect TEXT,
  FOREIGN KEY (beer_id) REFERENCES beer (beer_id)
);

CREATE TABLE pub (
  pub_id INTEGER PRIMARY KEY,
  sign TEXT,
  landlord TEXT,
  county TEXT,
  taps INTEGER
);

CREATE TABLE keg_order (
  order_id INTEGER PRIMARY KEY,
  pub_id INTEGER,
  beer_id INTEGER,
  ordered_on DATE,
  kegs INTEGER,
  keg_gbp REAL,
  paid_on DATE,
  FOREIGN KEY (pub_id) REFERENCES pub (pub_id),
  FOREIGN KEY (beer_id) REFERENCES beer (beer_id)
);
