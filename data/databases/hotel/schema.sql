CREATE TABLE hotel (
  hotel_id INTEGER PRIMARY KEY,
  name TEXT,
  city TEXT,
  stars INTEGER,
  rooms INTEGER,
  opening_year INTEGER
);

CREATE TABLE guest (
  guest_id INTEGER PRIMARY KEY,
  name TEXT,
  nationality TEXT,
  company TEXT,
  age INTEGER
);

CREATE TABLE booking (
  booking_id INTEGER PRIMARY KEY,
  hotel_id INTEGER,
  guest_id INTEGER,
  status TEXT,
  arrival_date DATE,
  nights INTEGER,
  price INTEGER,
  rating INTEGER,
  FOREIGN KEY (hotel_id) REFERENCES hotel (hotel_id),
  FOREIGN KEY (guest_id) REFERENCES guest (guest_id)
);

CREATE TABLE charge (
  charge_id INTEGER PRIMARY KEY,
  booking_id INTEGER,
  item TEXT,
  payment_method TEXT,
  amount REAL,
  FOREIGN KEY (booking_id) REFERENCES booking (booking_id)
);
