"""Statements that need more time, memory or disk than anybody has; each family is a function that gives its own."""

from collections.abc import Iterator

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)"


def lines(statements: str) -> list[str]:
    """The statements of a text that has one a line."""
    return [line.strip() for line in statements.strip().splitlines()]


def text(n: int, letter: str = "a") -> str:
    """An expression for a text of ``n`` letters, in few characters."""
    return f"replace(hex(zeroblob({n // 2})),'0','{letter}')"


def pairs(n: int, two: str) -> str:
    """An expression for ``two`` written ``n`` times."""
    return f"replace(hex(zeroblob({n})),'00','{two}')"


def numbers(n: int) -> str:
    return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT {n})"


def chain(depth: int, level: str, kind: str = "AS") -> str:
    """A chain of common table expressions; ``level`` names the one before as often as it likes, as ``c0``."""
    parts = [f"c{i} {kind} ({level.replace('c0', f'c{i - 1}')})" for i in range(1, depth + 1)]
    return f"WITH c0 AS (SELECT 1 x), {', '.join(parts)} SELECT count(*) FROM c{depth}"


def expansion() -> Iterator[str]:
    """Short texts that grow while SQLite reads them, where no progress handler is asked."""
    for fan_out, depth in ((2, 14), (2, 24), (3, 12), (5, 9), (8, 7), (16, 6), (40, 4), (64, 3)):
        yield chain(depth, f"SELECT a0.x FROM {','.join(f'c0 a{i}' for i in range(fan_out))}")
        yield chain(depth, " UNION ALL ".join(["SELECT x FROM c0"] * fan_out))
        yield chain(depth, f"SELECT {'+'.join(['(SELECT x FROM c0)'] * fan_out)} x")
    yield chain(7, " UNION ALL ".join(["SELECT x FROM c0"] * 8), "AS NOT MATERIALIZED")
    yield chain(9, f"SELECT a.x FROM c0 a,{','.join(['c0'] * 7)}", "AS MATERIALIZED")
    yield chain(8, f"SELECT 1 x WHERE {' AND '.join(['EXISTS (SELECT x FROM c0)'] * 6)}")
    yield chain(8, f"SELECT 1 x WHERE {' OR '.join(['1 IN (SELECT x FROM c0)'] * 6)}")
    yield chain(7, " INTERSECT ".join(["SELECT x FROM c0"] * 8))
    yield chain(12, "SELECT * FROM c0 a, c0 b")
    yield f"SELECT 1 FROM {','.join(f'(SELECT * FROM vbomb) a{i}' for i in range(60))}"
    yield f"SELECT * FROM {','.join(f'(SELECT *,* FROM vpair,vbomb) a{i}' for i in range(30))}"
    yield from (
        "SELECT * FROM vgrow5",
        "SELECT * FROM vgrow6",
        "SELECT * FROM vchain",
        "SELECT 1 FROM t, vchain, vchain",
    )


def one_call() -> Iterator[str]:
    """One call of one function that computes for long."""
    long, half = text(990_000), text(490_000)
    yield from lines(f"""
        SELECT instr(zeroblob(999000),zeroblob(490000)||x'01')
        SELECT instr({long},{half}||'b')
        SELECT instr({pairs(240_000, "éé")},{pairs(100_000, "éé")}||'b')
        SELECT length(replace({long},{half}||'b',''))
        SELECT length(replace(replace({long},{half}||'b',''),{half}||'c','d'))
        SELECT length(trim({pairs(240_000, "éé")},{text(60_000, "b")}||'é'))
        SELECT {long} LIKE '%'||{pairs(24_000, "!a")}||'b' ESCAPE '!'
        SELECT like('%'||{text(49_900)}||'b',{long})
        SELECT glob('*'||{text(49_900)}||'b',{long})
        SELECT {long} GLOB '*'||{pairs(9_000, "[a]")}||'b'
        SELECT {long} GLOB '*[^b][^b]'||{pairs(6_000, "[^b]")}||'b'
        SELECT {long} GLOB '*['||{text(49_000, "b")}||']*'
        SELECT {long} GLOB '*a*a*a*a*b'
        SELECT {long} LIKE '{"%a" * 15}%b'
        SELECT length(trim({long},hex(randomblob(400000))))
        SELECT sum(json_valid('['||{pairs(240_000, "1,")}||id||']')) FROM big
        SELECT count(*) FROM json_tree('['||{pairs(240_000, "1,")}||'1]') a, json_tree('[1,[2]]'), big
        SELECT sum(instr({long},id||'b')) FROM big
        SELECT sum(length(soundex({long}||id))) FROM big
        SELECT max(upper({long}||id)) FROM big
        SELECT sum(length(strftime({pairs(40_000, "%c")},id))) FROM big
        SELECT sum(length(replace({long},'a','b'||id%2))) FROM big
        SELECT sum(unicode(substr({pairs(240_000, "éé")},-id))) FROM big
        {numbers(80_000)} SELECT length(json_patch(j,j)) FROM (SELECT json_group_object(i,1) j FROM n)
    """)
    yield from lines(f"""
        SELECT sum(instr({pairs(100_000, "é")},'éb'||id)) FROM big
        SELECT sum(CAST({text(990_000, "9")} AS REAL)+id) FROM big
        SELECT sum(length(fullkey)) FROM json_tree(json_object({text(400_000)},json('[1,2,[3]]'))), big
        SELECT sum(julianday('now','+'||a.id||' months','start of year','weekday 3')) FROM big a, big b
        SELECT sum(pow(sin(a.id),cos(b.id))) FROM big a, big b
    """)
    for side in ("trim", "ltrim", "rtrim"):
        yield f"SELECT length({side}({long},{text(60_000, 'b')}||'a'))"
    for operator, many, one in (("GLOB", "*", "?"), ("LIKE", "%", "_")):
        yield f"SELECT {long} {operator} '{many}'||{text(49_900)}||'b'"
        yield f"SELECT {long} {operator} {pairs(20_000, many + 'a')}||'b'"
        yield f"SELECT {long} {operator} '{many}'||{pairs(24_000, one + one)}||'b'"
        yield f"SELECT {long} {operator} {pairs(12_000, many + one)}||'b'"
        yield f"SELECT sum({long} {operator} '{many}'||{text(9_000)}||'b'||id) FROM big"
        yield f"SELECT {long} NOT {operator} '{many}'||{text(40_000)}||'b{many}c'"
    keys = f"{numbers(60_000)}, o AS MATERIALIZED (SELECT json_group_object('k'||i,1) j, json_group_array(i) l FROM n)"
    last, new = [f"'$.k{i}'" for i in range(59_960, 60_000)], [f"'$.new{i}',j" for i in range(40)]
    yield f"{keys} SELECT length(json_patch(j,replace(j,'k','l'))) FROM o"
    yield f"{keys} SELECT sum(json_extract(l,'$[59999]')) FROM o, big"
    yield f"{keys} SELECT {','.join(f'json_extract(j,{key})' for key in last)} FROM o, big"
    yield f"{keys} SELECT sum(length(json_remove(j,{','.join(last)}))) FROM o, big"
    yield f"{keys} SELECT length(json_set(j,{','.join(new)})) FROM o"
    yield f"{keys} SELECT count(*) FROM o, json_each(o.j), big"


def growth() -> Iterator[str]:
    """Values, queues and results that grow."""
    yield from lines(f"""
        SELECT length(printf({pairs(190_000, "%999d")}))
        SELECT {",".join([f"length(printf({pairs(190_000, '%999d')}))"] * 3)}
        SELECT length(printf({pairs(190_000, "%0999d")}))
        SELECT length(printf({pairs(150_000, "%!.999f")},1e300))
        SELECT length({"printf(" * 20}{pairs(90_000, "%99d")}{")" * 20})
        SELECT printf({"printf(" * 9}'%9999999d'{")" * 9},printf('%99999999d',1))
        SELECT sum(length(printf('%9999d',a.id))) FROM big a, big b
        SELECT length(printf('%Q%w%q',q,q,q)) FROM (SELECT {pairs(490_000, "''''")} q)
        SELECT length(format({pairs(190_000, "%999s")},'x'))
        SELECT hex(zeroblob(999999))
        SELECT quote(zeroblob(999999))
        SELECT zeroblob(2147483647)
        SELECT randomblob(2147483647)
        SELECT length({"||".join(["hex(zeroblob(400000))"] * 100)})
        SELECT {",".join([f"length(replace(replace({pairs(490_000, '1,')},'1','22'),'2','333'))"] * 300)}
        SELECT replace({text(400_000)},'a',{text(400_000)})
        SELECT length(json_quote({pairs(490_000, chr(1) * 2)}))
        SELECT length(json_array({",".join([text(400_000)] * 100)}))
        SELECT {",".join(["randomblob(999999)"] * 1500)}
        SELECT max({",".join(["randomblob(999999)"] * 120)})
        SELECT CASE {" ".join(["WHEN randomblob(999999) THEN 1"] * 900)} END
        WITH RECURSIVE n(s) AS (SELECT 'a' UNION ALL SELECT s||s FROM n) SELECT length(s) FROM n
        WITH RECURSIVE n(s) AS (SELECT x'00' UNION ALL SELECT hex(s) FROM n) SELECT max(s) FROM n
        WITH RECURSIVE n(s) AS (SELECT '[]' UNION ALL SELECT json_array(json(s),json(s)) FROM n) SELECT s FROM n
        WITH RECURSIVE n(s) AS (VALUES(1) UNION ALL SELECT randomblob(900000) FROM n, t) SELECT count(*) FROM n
        WITH RECURSIVE n(s) AS (VALUES(1) UNION ALL SELECT randomblob(90000) FROM n, t ORDER BY 1) SELECT max(s) FROM n
        WITH RECURSIVE n(s) AS (VALUES(1) UNION SELECT randomblob(9000) FROM n) SELECT count(*) FROM n
        WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n UNION ALL SELECT i+2 FROM n) SELECT sum(i) FROM n
        {COUNT} SELECT length(group_concat(i)) FROM n
        {COUNT} SELECT length(group_concat(randomblob(90000))) FROM n
        {COUNT} SELECT length(json_group_array(i)) FROM n
        {COUNT} SELECT json_group_object(i, hex(randomblob(400))) FROM n
        {COUNT} SELECT sum(random()) FROM n
        {COUNT} SELECT count(*) FROM n
        {COUNT} SELECT i FROM n LIMIT 1 OFFSET 9223372036854775807
        {COUNT} SELECT i FROM n WHERE i < 0 LIMIT 1
        SELECT * FROM vbomb
        SELECT * FROM vbomb, vpair
        SELECT length(group_concat(id,{text(400_000)})) FROM big
        WITH RECURSIVE n(j) AS (SELECT '[]' UNION ALL SELECT json_insert(j,'$[#]',1) FROM n) SELECT max(j) FROM n
        WITH RECURSIVE n(j) AS (SELECT '{{}}' UNION ALL SELECT json_patch(j,json_object('k',j)) FROM n) SELECT j FROM n
        WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i+1 FROM n UNION SELECT i*2 FROM n) SELECT count(*) FROM n
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n LIMIT -1) SELECT count(*) FROM n
        SELECT cast(zeroblob(900000) AS TEXT), cast(randomblob(900000) AS TEXT) FROM big
    """)
    for width in ("%999999999d", "%.999999999f", "%2147483647s", "%-2000000000s", "%.*c", "%*d", "%!.2000000000g"):
        yield f"SELECT printf('{width}',1000000000,'x')"


def spills() -> Iterator[str]:
    """What must be sorted or held apart, more than fits."""
    windows = ",".join(f"rank() OVER (ORDER BY b||{i})" for i in range(300))
    for cross in ("big a, big b", "(SELECT 1 FROM big), big a, big b"):
        yield from lines(f"""
            SELECT a.id FROM {cross} ORDER BY a.b||b.b
            SELECT a.id FROM {cross} ORDER BY a.b||b.b LIMIT 5 OFFSET 90000000
            SELECT count(*) FROM (SELECT DISTINCT a.id*20000+b.id FROM {cross})
            SELECT count(DISTINCT a.b||b.b) FROM {cross}
            SELECT a.b||b.b x, count(*) FROM {cross} GROUP BY x
            SELECT a.id+b.id*1e5 FROM {cross} UNION SELECT 1
            SELECT 1 EXCEPT SELECT a.id+b.id*1e5 FROM {cross}
            SELECT a.id+b.id*1e5 FROM {cross} INTERSECT SELECT a.id+b.id*1e5 FROM {cross}
            SELECT 1 WHERE '' IN (SELECT a.b||b.b FROM {cross})
            WITH m AS MATERIALIZED (SELECT a.b||b.b x FROM {cross}) SELECT count(*) FROM m, m n
            SELECT count(*) FROM big z JOIN (SELECT b.b||'' x FROM {cross}) c ON c.x=z.b
            SELECT rank() OVER (PARTITION BY a.b||b.b ORDER BY b.b) FROM {cross}
            SELECT nth_value(a.id, 90000000) OVER (ORDER BY b.b) FROM {cross}
            SELECT ntile(9) OVER (ORDER BY a.b||b.b) FROM {cross}
        """)
    yield from lines(f"""
        SELECT * FROM big ORDER BY {",".join(f"b||{i}" for i in range(900))}
        SELECT {windows} FROM big
        {numbers(3000)} SELECT length(x) FROM (SELECT randomblob(500000) x FROM n) ORDER BY x
        {numbers(3000)} SELECT length(randomblob(500000)) FROM n ORDER BY randomblob(500000)
        {COUNT} SELECT DISTINCT randomblob(900000) FROM n
        {COUNT} SELECT sum(i) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM n
        SELECT count(*) FROM big a JOIN (SELECT b||'' x FROM big, t) c ON c.x=a.b
        SELECT hex(randomblob(90000)) x, count(*) FROM big GROUP BY x
        SELECT max(b) OVER (ORDER BY id ROWS BETWEEN 20000 PRECEDING AND 20000 FOLLOWING EXCLUDE TIES) FROM big
        SELECT max(b) OVER (ORDER BY a GROUPS BETWEEN 9000 PRECEDING AND 9000 FOLLOWING EXCLUDE GROUP) FROM big
        SELECT length(group_concat(b) OVER (ORDER BY id)) FROM big
        SELECT length(group_concat(randomblob(9000)) OVER (ORDER BY id DESC)) FROM big
        SELECT json_group_array(b) OVER (ORDER BY id ROWS BETWEEN 9000 PRECEDING AND 1 FOLLOWING) FROM big
        SELECT count(*) FROM big a, big b GROUP BY random()
        SELECT count(DISTINCT randomblob(500)) FROM big a, big b
        SELECT count(*) FROM (SELECT b||{text(20_000)} x FROM big ORDER BY x COLLATE NOCASE)
        SELECT min(b) OVER (ORDER BY b GROUPS BETWEEN 1 PRECEDING AND 9000 FOLLOWING EXCLUDE CURRENT ROW) FROM big
        {COUNT}, m AS MATERIALIZED (SELECT randomblob(1000) x FROM n LIMIT 1000000) SELECT count(*) FROM m a, m b
    """)


def crosses() -> Iterator[str]:
    """Joins that end some time after the sun."""
    for n in (3, 6, 20, 64):
        yield f"SELECT count(*) FROM {','.join(f'big a{i}' for i in range(n))}"
    yield from lines(f"""
        SELECT count(*) FROM big a0 {" ".join(f"LEFT JOIN big a{i} ON 1" for i in range(1, 12))}
        SELECT count(*) FROM big a0 {" ".join(f"FULL JOIN t a{i} ON 1" for i in range(1, 9))}
        SELECT count(*) FROM (SELECT a x FROM big) {" ".join(["NATURAL JOIN (SELECT a x FROM big)"] * 9)}
        SELECT (SELECT count(*) FROM big x, big y WHERE x.a=o.a) FROM big o
        SELECT count(*) FROM big o WHERE EXISTS (SELECT 1 FROM big x, big y WHERE x.b||y.b=o.b)
        SELECT count(*) FROM big o WHERE o.b NOT IN (SELECT x.b||o.a FROM big x, big y)
        SELECT id FROM big o ORDER BY (SELECT count(*) FROM big x WHERE x.b < o.b)
        SELECT count(*) FROM big a JOIN big b ON a.b LIKE '%'||b.b||'%'
        SELECT count(*) FROM big a, big b WHERE a.b GLOB '*'||b.b||'*'
        SELECT count(*) FROM big WHERE b LIKE '%x%x%x%x%x%x%x%x%x%x%y'
        SELECT count(*) FROM big a, big b, big c WHERE random() > a.id + b.id + c.id
        SELECT count(*) FROM ft a, ft b, ft c, ft d, ft e WHERE a.ft MATCH 'fox'
        SELECT count(*) FROM rt a, rt b, rt c, rt d, rt e WHERE a.x0 < b.x1
        SELECT count(*) FROM {",".join(f"sqlite_schema a{i}" for i in range(12))}
        SELECT count(*) FROM vpair a, vpair b
        SELECT count(*) FROM big a FULL JOIN big b ON a.b||'' = b.b||'z' FULL JOIN big c ON c.a=a.a
        SELECT count(*) FROM big a, big b WHERE a.b||{text(1_000, " ")} = b.b||{text(2_000, " ")} COLLATE RTRIM
        SELECT 1 LIMIT (SELECT count(*) FROM big a, big b, big c)
    """)


def results() -> Iterator[str]:
    """Answers that are larger than the question deserves."""
    yield from lines(f"""
        SELECT zeroblob(999999) FROM big
        SELECT randomblob(999999) FROM big
        SELECT {text(900_000)} FROM big
        SELECT replace(hex(zeroblob(120000)),'0','{chr(128512)}') FROM big
        SELECT replace(hex(zeroblob(120000)),'0',char(128512)) FROM big
        SELECT {pairs(240_000, "éé")}||'{chr(128512)}' FROM big
        SELECT {text(900_000, chr(1))} FROM big
        SELECT CAST(zeroblob(900000)||x'ff' AS TEXT), CAST(randomblob(900000) AS TEXT) FROM big
        SELECT {",".join(["1.5"] * 2000)} FROM big
        SELECT {",".join(["b||id"] * 2000)} FROM big
        SELECT {",".join(["NULL"] * 2000)} FROM big a, big b
        SELECT {",".join(f"1 AS {'n' * 450}{i}" for i in range(2000))} FROM big
        SELECT {",".join("*" * 99)} FROM t a, t b, t c
        SELECT * FROM {",".join(f"big a{i}" for i in range(64))}
        {COUNT} SELECT i, hex(randomblob(300)) FROM n
        {COUNT} SELECT '' FROM n
        VALUES {",".join(["(1)"] * 100_000)}
        VALUES {",".join([f"('{'v' * 90}')"] * 9_000)}
        SELECT DISTINCT a.id*20000+b.id FROM big a, big b
        SELECT * FROM big LIMIT -1 OFFSET 9223372036854775807
        SELECT {",".join(["9e999, -9e999, 9e999-9e999"] * 600)} FROM big
    """)


LOADS = (expansion, one_call, growth, spills, crosses, results)
