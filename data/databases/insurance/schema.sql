CREATE TABLE agent (
  agent_id INTEGER PRIMARY KEY,
  lead_id INTEGER,
  name TEXT,
  town TEXT,
  hired_on DATE,
  commission_pct REAL,
  FOREIGN KEY (lead_id) REFERENCES agent (agent_id)
);

CREATE TABLE client (
  client_id INTEGER PRIMARY KEY,
  name TEXT,
  town TEXT,
  born_on DATE,
  marital TEXT,
  heard_via TEXT
);

CREATE TABLE policy (
  policy_id INTEGER PRIMARY KEY,
  client_id INTEGER,
  agent_id INTEGER,
  cover TEXT,
  insured_eur INTEGER,
  premium_eur REAL,
  signed_on DATE,
  cancelled_on DATE,
  FOREIGN KEY (client_id) REFERENCES client (client_id),
  FOREIGN KEY (agent_id) REFERENCES agent (agent_id)
);

CREATE TABLE claim (
  claim_id INTEGER PRIMARY KEY,
  policy_id INTEGER,
  cause TEXT,
  reported_on DATE,
  claimed_eur INTEGER,
  decision TEXT,
  decided_on DATE,
  paid_eur INTEGER,
  FOREIGN KEY (policy_id) REFERENCES policy (policy_id)
);
