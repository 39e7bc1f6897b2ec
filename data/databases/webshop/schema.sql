CREATE TABLE category (
  category_id INTEGER PRIMARY KEY,
  name TEXT,
  manager TEXT,
  vat_percent INTEGER
);

CREATE TABLE supplier (
  supplier_id INTEGER PRIMARY KEY,
  name TEXT,
  country TEXT,
  contract_year INTEGER,
  rating REAL
);

CREATE TABLE product (
  product_id INTEGER PRIMARY KEY,
  category_id INTEGER,
  supplier_id INTEGER,
  name TEXT,
  color TEXT,
  price REAL,
  stock INTEGER,
  FOREIGN KEY (category_id) REFERENCES category (category_id),
  FOREIGN KEY (supplier_id) REFERENCES supplier (supplier_id)
);

CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY,
  referrer_id INTEGER,
  name TEXT,
  city TEXT,
  newsletter TEXT,
  signup_date DATE,
  FOREIGN KEY (referrer_id) REFERENCES customer (customer_id)
);

CREATE TABLE shop_order (
  order_id INTEGER PRIMARY KEY,
  customer_id INTEGER,
  status TEXT,
  payment TEXT,
  order_date DATE,
  shipping_date DATE,
  shipping_fee REAL,
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id)
);

CREATE TABLE order_line (
  order_line_id INTEGER PRIMARY KEY,
  order_id INTEGER,
  product_id INTEGER,
  gift_wrap TEXT,
  quantity INTEGER,
  unit_price REAL,
  FOREIGN KEY (order_id) REFERENCES shop_order (order_id),
  FOREIGN KEY (product_id) REFERENCES product (product_id)
);

CREATE TABLE refund (
  refund_id INTEGER PRIMARY KEY,
  order_line_id INTEGER,
  reason TEXT,
  refund_date DATE,
  amount REAL,
  FOREIGN KEY (order_line_id) REFERENCES order_line (order_line_id)
);

CREATE TABLE review (
  review_id INTEGER PRIMARY KEY,
  product_id INTEGER,
  customer_id INTEGER,
  headline TEXT,
  stars INTEGER,
  review_date DATE,
  FOREIGN KEY (product_id) REFERENCES product (product_id),
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id)
);
