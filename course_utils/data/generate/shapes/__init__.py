"""The query shapes of the course's questions, one module and one tuple a concept; the slots are in ``shape.py``."""

from course_utils.data.generate.shapes.aggregating import AGGREGATING
from course_utils.data.generate.shapes.combining import COMBINING
from course_utils.data.generate.shapes.correlating import CORRELATING
from course_utils.data.generate.shapes.counting import COUNTING
from course_utils.data.generate.shapes.dating import DATING
from course_utils.data.generate.shapes.deciding import DECIDING
from course_utils.data.generate.shapes.filtering import FILTERING
from course_utils.data.generate.shapes.joining import JOINING
from course_utils.data.generate.shapes.linking import LINKING
from course_utils.data.generate.shapes.listing import LISTING
from course_utils.data.generate.shapes.missing import MISSING
from course_utils.data.generate.shapes.nesting import NESTING
from course_utils.data.generate.shapes.ranking import RANKING
from course_utils.data.generate.shapes.running import RUNNING
from course_utils.data.generate.shapes.shape import Shape

__all__ = ["CONCEPTS", "SHAPES", "Shape"]
CONCEPTS = {
    "counting": COUNTING,
    "listing": LISTING,
    "filtering": FILTERING,
    "aggregating": AGGREGATING,
    "joining": JOINING,
    "linking": LINKING,
    "nesting": NESTING,
    "correlating": CORRELATING,
    "combining": COMBINING,
    "missing": MISSING,
    "dating": DATING,
    "deciding": DECIDING,
    "ranking": RANKING,
    "running": RUNNING,
}
SHAPES = tuple(shape for shapes in CONCEPTS.values() for shape in shapes)
