"""Publish events and learn when they are in the ledger.

from modeltrail.sdk import Publisher
from modeltrail.events.predictions import PredictionRecorded

async with Publisher(source="urn:example:scoring", actor="scoring-job") as publisher:
    delivery = await publisher.publish(PredictionRecorded(...))     durable in Kafka
    place = await delivery.chained()                                chained in the ledger
"""

from modeltrail.sdk.blocking import BlockingDelivery, BlockingPublisher
from modeltrail.sdk.publisher import Publisher
from modeltrail.sdk.results import Chained, Delivery, PublishManyError, Summary

__all__ = [
    "BlockingDelivery",
    "BlockingPublisher",
    "Chained",
    "Delivery",
    "PublishManyError",
    "Publisher",
    "Summary",
]
