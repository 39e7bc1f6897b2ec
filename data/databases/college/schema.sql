CREATE TABLE department (
  department_id INTEGER PRIMARY KEY,
  name TEXT,
  building TEXT,
  budget INTEGER,
  students INTEGER
);

CREATE TABLE professor (
  professor_id INTEGER PRIMARY KEY,
  department_id INTEGER,
  name TEXT,
  degree TEXT,
  hometown TEXT,
  age INTEGER,
  salary INTEGER,
  FOREIGN KEY (department_id) REFERENCES department (department_id)
);

CREATE TABLE course (
  course_id INTEGER PRIMARY KEY,
  professor_id INTEGER,
  title TEXT,
  term TEXT,
  room TEXT,
  credits INTEGER,
  FOREIGN KEY (professor_id) REFERENCES professor (professor_id)
);
