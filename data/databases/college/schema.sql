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

CREATE TABLE student (
  student_id INTEGER PRIMARY KEY,
  department_id INTEGER,
  name TEXT,
  country TEXT,
  entry_year INTEGER,
  age INTEGER,
  FOREIGN KEY (department_id) REFERENCES department (department_id)
);

CREATE TABLE enrollment (
  enrollment_id INTEGER PRIMARY KEY,
  student_id INTEGER,
  course_id INTEGER,
  status TEXT,
  grade INTEGER,
  FOREIGN KEY (student_id) REFERENCES student (student_id),
  FOREIGN KEY (course_id) REFERENCES course (course_id)
);

CREATE TABLE scholarship (
  scholarship_id INTEGER PRIMARY KEY,
  student_id INTEGER,
  sponsor TEXT,
  start_year INTEGER,
  amount INTEGER,
  FOREIGN KEY (student_id) REFERENCES student (student_id)
);
