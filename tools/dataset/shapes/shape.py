"""A query shape: SQL with slots, and the ways to ask for it. This docstring defines the slots of all shapes.

In ``query`` a slot stands for SQL, in ``questions`` for words. If a table cannot fill a slot, it cannot be asked about
in that wording, and if no wording is left, not by that shape. The table asked about fills:

- ``t`` its name, ``one`` and ``many`` of its rows, ``key`` its primary key;
- ``l`` the column that names a row, ``q`` and ``q2`` such names, ``called`` ("named"), ``c`` the same column with a
  word ``part`` of it and its first letter ``start``;
- ``a``, ``b`` columns to show, ``d`` one that is no name;
- ``x`` a text column, ``v``, ``w``, ``v3`` its values, ``from_v`` ("from Spain"); ``g`` the same where it makes groups,
  ``cop size`` a comparison with a group's size, ``c_with`` ("at least 3"); ``h`` a second column of groups;
- ``n`` a number or time, ``op k`` a comparison, ``k2`` a value not below ``k``, ``dir`` a direction, ``f`` an
  aggregate, ``fx`` MAX or MIN, ``j`` a number of rows, ``few`` 2 or 3, ``nth`` ("second"). Only where ``n`` is no time:
  ``side`` ("above"), ``low_k high_k``, ``down`` (DESC), ``avg`` and ``mean_op mean_k`` to compare an average with, and
  ``sum`` where ``n`` has a total.
  Questions say them whole: ``n_with`` is "a salary over 3000" or "more than 9 goals", ``n_is`` "salary is over 3000",
  ``most_n`` "the highest salary", ``n_order`` "salary from high to low", ``f_n`` "average salary", ``fx_n`` "highest
  salary" (``wording.py``);
- ``m`` a second number with ``m_op``, ``m_k``, ``m_with``, ``m_is``, ``m_f``, ``f_m``;
- ``o`` a column with gaps, ``ot`` such a column of texts with a value ``otv``;
- ``e`` a date with ``year``, ``month``, ``month_name``, ``day``, ``day2``, ``e_f`` (MIN) and ``e_end`` ("earliest"); in
  queries ``e_full`` is a date that no row lacks.

Before a slot ``a_`` is its article, after it ``_s`` the plural. Related tables fill the same slots behind their name,
such as ``{up.l}``; ``{up}`` is the table itself, ``on`` the condition that joins it, ``y`` any text column of it with
a value ``r``, and ``ref_op ref_size`` compare how many rows refer to one (``ref_with``):

- ``up`` a table that ``t`` refers to by ``up.ref``, ``up2`` one that ``up`` refers to, ``up3`` one above that;
- ``kid`` a table that refers to ``t`` by ``kid.ref``; ``far`` another table that ``kid`` refers to, by ``far.ref``;
  ``far2`` one that ``far`` refers to;
- ``boss`` is ``t`` again, where its rows refer to others of it by ``boss.ref``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One family of queries; ``weight`` is its share among the shapes of the same difficulty."""

    name: str
    query: str
    questions: tuple[str, ...]
    weight: float = 0.8
