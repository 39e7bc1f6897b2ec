"""The query shapes of the course's questions, one module and one tuple a concept; the slots are in ``shape.py``."""

from tools.dataset.shapes.aggregating import AGGREGATING
from tools.dataset.shapes.combining import COMBINING
from tools.dataset.shapes.correlating import CORRELATING
from tools.dataset.shapes.counting import COUNTING
from tools.dataset.shapes.dating import DATING
from tools.dataset.shapes.deciding import DECIDING
from tools.dataset.shapes.filtering import FILTERING
from tools.dataset.shapes.joining import JOINING
from tools.dataset.shapes.linking import LINKING
from tools.dataset.shapes.listing import LISTING
from tools.dataset.shapes.missing import MISSING
from tools.dataset.shapes.nesting import NESTING
from tools.dataset.shapes.ranking import RANKING
from tools.dataset.shapes.running import RUNNING
from tools.dataset.shapes.shape import Shape

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
