"""The area under the curve of rows that are all there."""

from modeltrail.drift.statistics.auc import area_of_ranks
from modeltrail.drift.statistics.ranking import Ranking


def area_under_curve(scores, positive):
    """The area, and DeLong's variance of it."""
    ranking = Ranking()
    ranking.add(scores, positive)
    return area_of_ranks(ranking.ascending(), ranking.positives, ranking.negatives)
